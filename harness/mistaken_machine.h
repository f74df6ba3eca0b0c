// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <utility>

#include "core/unwind/mistakes.h"
#include "machine/machine.h"

namespace plumb::harness {

// A machine whose unwinders make a mistake, where they start (Depth::kInterrupts).
class MistakenMachine final : public machine::Machine {
 public:
  MistakenMachine(std::unique_ptr<machine::Machine> machine, unwind::Mistake mistake)
      : machine_(std::move(machine)), mistake_(mistake) {}

  [[nodiscard]] const MachineRun& run(const Case& value, const Image& image,
                                      const machine::RunOptions& options) override {
    run_ = machine_->run(value, image, options);
    if (run_.knowledge != nullptr) {
      run_.knowledge = std::make_shared<const unwind::CodeKnowledge>(
          unwind::mistaken(*run_.knowledge, mistake_));
    }
    return run_;
  }
  std::uint64_t run_bare(const Case& value, const Image& image,
                         const machine::RunOptions& options) override {
    return machine_->run_bare(value, image, options);
  }

 private:
  std::unique_ptr<machine::Machine> machine_;
  unwind::Mistake mistake_;
  MachineRun run_;
};

}  // namespace plumb::harness
