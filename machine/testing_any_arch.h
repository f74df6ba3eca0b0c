// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "machine/testing_code.h"
#include "machine/testing_machine.h"

namespace plumb::machine {

inline constexpr RunOptions kEveryDepth[] = {kFastRun, kFullRun};

[[nodiscard]] inline std::string arch_test_name(const testing::TestParamInfo<Arch>& info) {
  switch (info.param) {
    case Arch::kX86_64:
      return "X86_64";
    case Arch::kArm64:
      return "Arm64";
    case Arch::kRiscv64:
      break;
  }
  return "Riscv64";
}

// Code for tests that hold on every architecture: what BPF functions do, in native code. Frames are
// those of Linux: a frame record, and 32 bytes below it.
class MachineAnyArch : public testing::TestWithParam<Arch> {
 protected:
  static constexpr std::uint64_t kFunctionSpace = 0x100;  // bytes that a function may take

  const MachineRun& run(const TestImage& t, const RunOptions& options) {
    return machine_->run(t.value, t.image, options);
  }
  [[nodiscard]] bool is_x86() const { return GetParam() == Arch::kX86_64; }
  [[nodiscard]] TestImage image() const { return TestImage(arena_, GetParam()); }
  [[nodiscard]] std::uint64_t address_of(int program, int function) const {
    return arena_.code() + static_cast<std::uint64_t>(2 * program + function) * kFunctionSpace;
  }

  // The next function, with its prologue.
  void open(TestImage& t, int program, int function) const;
  void exit(TestImage& t) const;
  void take_down(TestImage& t) const;  // what exit() does in front of its return
  void ret(TestImage& t) const;
  // A frame that keeps the return address and no frame record.
  void save(TestImage& t) const;
  void restore(TestImage& t) const;
  void jump(TestImage& t, std::uint64_t target) const;
  void call(TestImage& t, std::uint64_t target) const;
  void call_function(TestImage& t, int program, int function) const;
  void call_helper(TestImage& t, std::int32_t number) const;
  void tail_call(TestImage& t, int program) const;
  // r0 = bpf_loop(count, function, 99, flags)
  void loop(TestImage& t, int program, int function, std::uint32_t count = 2,
            std::uint32_t flags = 0) const;
  void set_result(TestImage& t, int value) const;  // 0 ... 127
  // Stores the result register, 8 bytes, so far above the stack pointer on entry.
  void store_above_entry(TestImage& t, int offset) const;

  // r0 = the 8 bytes there, or another register of no account.
  void load_from(TestImage& t, std::uint64_t address) const;

  [[nodiscard]] std::uint64_t call_pushes() const { return is_x86() ? 8 : 0; }

  TestCode code_ = is_x86() ? TestCode{} : test_code(GetParam());
  TestArena arena_{kTestArenaAddress};
  std::unique_ptr<Machine> machine_ = make_machine(GetParam());
};

}  // namespace plumb::machine
