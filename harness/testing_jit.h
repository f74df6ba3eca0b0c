// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/capability.h"
#include "core/opcode.h"
#include "jit_under_test/jit.h"
#include "machine/machine.h"

// Stand-ins for tests: a JIT that does what it is told, and a machine that has one answer.
namespace plumb::harness {

class FakeImage final : public jit::LoadedImage {
 public:
  FakeImage(std::function<void()> on_unload, std::uint64_t kept)
      : on_unload_(std::move(on_unload)), kept_(kept) {}
  FakeImage(const FakeImage&) = delete;
  FakeImage& operator=(const FakeImage&) = delete;
  ~FakeImage() override {
    if (on_unload_) on_unload_();
  }
  [[nodiscard]] const Image& image() const override { return image_; }
  [[nodiscard]] Result<jit::Unloaded> unload() override { return jit::Unloaded{.kept = kept_}; }

 private:
  std::function<void()> on_unload_;
  std::uint64_t kept_;
  Image image_;
};

class FakeJit final : public jit::Jit {
 public:
  using Status = jit::LoadOutcome::Status;
  using Behaviour = std::function<Status(const Case&)>;

  explicit FakeJit(Behaviour behaviour, std::string name = "fake-1")
      : behaviour_(std::move(behaviour)) {
    info_.name = std::move(name);
    info_.family = "fake";
    info_.capabilities = kAllCapabilities;
  }
  [[nodiscard]] const jit::JitInfo& info() const override { return info_; }
  [[nodiscard]] jit::JitInfo& change_info() { return info_; }
  std::function<void()> on_unload{};
  std::uint64_t kept = 0;  // by each image
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override {
    jit::LoadOutcome outcome;
    outcome.status = behaviour_(value);
    if (outcome.status == Status::kLoaded) {
      outcome.image = std::make_unique<FakeImage>(on_unload, kept);
    } else {
      outcome.reason = "as it was told";
    }
    return outcome;
  }

 private:
  Behaviour behaviour_;
  jit::JitInfo info_;
};

class FakeMachine final : public machine::Machine {
 public:
  explicit FakeMachine(MachineRun run) : run_(std::move(run)) {}
  [[nodiscard]] const MachineRun& run(const Case&, const Image&,
                                      const machine::RunOptions&) override {
    return run_;
  }
  std::uint64_t run_bare(const Case&, const Image&, const machine::RunOptions&) override {
    return 0;
  }

 private:
  MachineRun run_;
};

// Does any function hold an instruction that does this?
inline bool contains(const Case& value, Operation operation) {
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      for (std::size_t slot = 0; slot < function.insns.size();
           slot += static_cast<std::size_t>(slot_count(function.insns[slot]))) {
        const OpcodeInfo* info = decode(function.insns[slot]);
        if (info != nullptr && info->operation == operation) return true;
      }
    }
  }
  return false;
}

}  // namespace plumb::harness
