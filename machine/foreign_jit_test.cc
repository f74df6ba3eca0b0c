// SPDX-License-Identifier: GPL-2.0-or-later
//
// JITs that do things otherwise than those of Linux: registers, and who restores them.
#include <algorithm>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/c_routine.h"
#include "machine/testing_any_arch.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineForeign : public MachineAnyArch {
 protected:
  // By hardware number.
  [[nodiscard]] std::uint8_t r6() const {
    return is_x86() ? kRbx : static_cast<std::uint8_t>(code_.preserved);
  }
  [[nodiscard]] std::uint8_t result() const {
    return is_x86() ? kRax : static_cast<std::uint8_t>(code_.result);
  }
  [[nodiscard]] std::uint8_t other_result() const {  // caller-saved, neither result nor argument
    return is_x86() ? 10 : GetParam() == Arch::kArm64 ? 9 : 5;
  }
  [[nodiscard]] std::array<std::uint8_t, 5> abi_arguments() const {
    if (is_x86()) return {7, 6, 2, 1, 8};
    if (GetParam() == Arch::kArm64) return {0, 1, 2, 3, 4};
    return {10, 11, 12, 13, 14};
  }

  void set_r6(TestImage& t, int value) const {
    t.slot(bpf_mov(6, value));
    if (is_x86()) {
      t.bytes({0xbb, value, 0, 0, 0});  // mov ebx, value
    } else {
      t.words(code_.load_preserved(static_cast<std::uint32_t>(value)));
    }
  }
  [[nodiscard]] std::uint64_t pushed() const { return is_x86() ? 8 : 16; }
  void push_r6(TestImage& t) const {
    if (is_x86()) t.bytes({0x53});                                        // push rbx
    if (GetParam() == Arch::kArm64) t.words({0xf81f0ff3});                // str x19, [sp, #-16]!
    if (GetParam() == Arch::kRiscv64) t.words({0xff010113, 0x00913423});  // sd s1, 8(sp)
  }
  void pop_r6(TestImage& t) const {
    if (is_x86()) t.bytes({0x5b});                                        // pop rbx
    if (GetParam() == Arch::kArm64) t.words({0xf84107f3});                // ldr x19, [sp], #16
    if (GetParam() == Arch::kRiscv64) t.words({0x00813483, 0x01010113});  // ld s1, 8(sp)
  }
  [[nodiscard]] std::uint8_t r10() const {
    return is_x86() ? 12 : GetParam() == Arch::kArm64 ? 25 : 21;
  }
  void move_r10(TestImage& t, bool down) const {  // by 64 bytes
    if (is_x86()) t.bytes({0x49, 0x83, down ? 0xec : 0xc4, 0x40});
    if (GetParam() == Arch::kArm64) t.words({down ? 0xd1010339 : 0x91010339});
    if (GetParam() == Arch::kRiscv64) t.words({down ? 0xfc0a8a93 : 0x040a8a93});
  }
  // main: R6 = 7; calls sub, and something may follow in the same place
  // sub: R6 = 1
  enum class Behind : std::uint8_t { kNothing, kHelperCall, kTrap };
  TestImage caller_saves(Behind behind = Behind::kNothing) const {
    TestImage t = image();
    t.image.contract.r6_r9_saved_by = Side::kCaller;
    open(t, 0, 0);
    set_r6(t, 7);
    t.slot(bpf_call_function(1));
    push_r6(t);
    call(t, address_of(0, 1));
    if (behind == Behind::kHelperCall) call(t, t.stub(7));
    if (behind == Behind::kTrap) trap(t);
    pop_r6(t);
    set_result(t, 3);
    exit(t);
    open(t, 0, 1);
    set_r6(t, 1);
    exit(t);
    return t;
  }
  void trap(TestImage& t) const {
    if (is_x86()) {
      t.bytes({0xcc});
    } else {
      t.words({code_.trap});
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Archs, MachineForeign,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachineForeign, WhatCallersSaveIsDueWhereTheirNextInstructionBegins) {
  const TestImage t = caller_saves();
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit})) << r.detail;
    const MachineEvent& back = r.events[1];
    EXPECT_TRUE(back.settled);
    EXPECT_EQ(back.registers[r6()], 7u);
    EXPECT_EQ(back.sp, r.events[0].sp + pushed());
    EXPECT_EQ(back.returned_sp, r.events[0].sp);
    EXPECT_EQ(back.pc, r.events[0].pc);
    EXPECT_EQ(r.result, 3u);
  }
}

TEST_P(MachineForeign, WhatCalleesSaveIsDueAtOnce) {
  TestImage t = caller_saves();
  t.image.contract.r6_r9_saved_by = Side::kUnknown;
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit})) << r.detail;
    EXPECT_TRUE(r.events[1].settled);
    EXPECT_EQ(r.events[1].registers[r6()], 1u);
    EXPECT_EQ(r.events[1].sp, r.events[0].sp);
  }
}

TEST_P(MachineForeign, RegistersThatNeverBecameDueAreMarked) {
  for (const Behind behind : {Behind::kNothing, Behind::kHelperCall, Behind::kTrap}) {
    TestImage t = caller_saves(behind);
    if (behind == Behind::kNothing) t.forget_offsets();
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = run(t, options);
      ASSERT_GE(r.events.size(), 2u) << r.detail;
      ASSERT_EQ(r.events[1].kind, kReturn);
      EXPECT_FALSE(r.events[1].settled);
      EXPECT_EQ(r.events[1].returned_sp, r.events[0].sp);
    }
  }
}

TEST_P(MachineForeign, CallersThatMoveR10ShowTheCalleesAtTheCall) {
  TestImage t = image();
  t.image.contract.r10_moved_by = Side::kCaller;
  t.image.registers.bpf[10] = r10();
  open(t, 0, 0);
  t.slot(bpf_call_function(1));
  move_r10(t, true);
  push_r6(t);
  call(t, address_of(0, 1));
  pop_r6(t);
  move_r10(t, false);
  call_helper(t, 7);
  exit(t);
  open(t, 0, 1);
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kCall, kReturn, kHelperCall, kExit})) << r.detail;
    EXPECT_EQ(r.activations[0].r10, r.entry_registers[r10()]);
    EXPECT_EQ(r.activations[1].r10, r.entry_registers[r10()] - 64);
    EXPECT_EQ(r.events[1].registers[r10()], r.entry_registers[r10()]);
  }
}

TEST_P(MachineForeign, ProgramsAndHelpersHaveTheirOwnRegisters) {
  TestImage t = image();
  RegisterMap& map = t.image.registers;
  map.entry_context = r6();
  map.entry_context_size = other_result();
  map.entry_stack = r10();
  map.entry_stack_size = abi_arguments()[4];
  map.helper_argument[0] = r6();
  map.helper_argument[1] = other_result();
  map.helper_result = other_result();
  constexpr std::int32_t kGetCurrentComm = 16;  // returns 0
  open(t, 0, 0);
  call_helper(t, kGetCurrentComm);
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kExit})) << r.detail;
    EXPECT_EQ(r.entry_registers[r6()], t.image.placement.context);
    EXPECT_EQ(r.entry_registers[other_result()], t.value.context.size());
    EXPECT_EQ(r.entry_registers[r10()], guest::kBpfStackBase);
    EXPECT_EQ(r.entry_registers[abi_arguments()[4]], guest::kBpfStackSize);
    EXPECT_NE(r.entry_registers[abi_arguments()[0]], t.image.placement.context);
    EXPECT_NE(r.context, t.value.context);
    EXPECT_TRUE(r.object_padding_intact);
    EXPECT_EQ(r.exit_registers[other_result()], 0u);
    EXPECT_EQ(r.result, kScrambledRegister | std::uint64_t{result()} << 32 | result());
    EXPECT_EQ(machine_->run_bare(t.value, t.image, options), r.result);
  }
}

// loop() leaves a count of 2, the callback, 99 and 0 in the ABI's arguments.
TEST_P(MachineForeign, TheLoopHelperHasItsOwnRegisters) {
  TestImage t = image();
  const auto abi = abi_arguments();
  t.image.registers.helper_argument = {abi[2], abi[1], abi[0], abi[3], abi[4]};
  t.image.registers.helper_result = other_result();
  open(t, 0, 0);
  loop(t, 0, 1);
  exit(t);
  open(t, 0, 1);
  set_result(t, 1);  // no more
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kCallback, kReturn, kExit})) << r.detail;
    EXPECT_EQ(r.events[1].registers[abi[0]], 0u);
    EXPECT_EQ(r.events[1].registers[abi[1]], 2u);
    EXPECT_EQ(r.exit_registers[other_result()], 1u);
    EXPECT_EQ(machine_->run_bare(t.value, t.image, options), r.result);
  }
  t.image.registers.helper_argument = {abi[0], abi[1], abi[3], abi[2], abi[4]};
  EXPECT_EQ(run(t, kFastRun).exit_registers[other_result()], kLoopBadFlags);
}

TEST_P(MachineForeign, RegistersThatCannotBeAreRefused) {
  struct Row {
    const char* problem;
    void (*change)(RegisterMap&);
  };
  constexpr Row kRows[] = {{"arguments of helpers in no register",
                            [](RegisterMap& m) { m.helper_argument[4] = NativeRegister::none(); }},
                           {"the result of helpers in a register that they preserve",
                            [](RegisterMap& m) { m.helper_result = m.bpf[6]; }},
                           {"the result of helpers in a register that they preserve",
                            [](RegisterMap& m) { m.helper_result = NativeRegister::none(); }}};
  for (const Row& row : kRows) {
    TestImage t = image();
    open(t, 0, 0);
    exit(t);
    row.change(t.image.registers);
    const MachineRun& r = run(t, kFastRun);
    EXPECT_EQ(r.stop, StopReason::kEmulatorFailed);
    EXPECT_EQ(r.detail, row.problem);
  }
}

TEST_F(MachineX86_64, GivesAndFencesABpfStackOfItsOwn) {
  const auto with = [&](const std::vector<int>& code) {
    TestImage t(arena_);
    t.image.registers.entry_stack = kRsi;
    around(t, code);
    return t;
  };
  constexpr std::uint64_t kCanaries = 0xc5c5c5c5c5c5c5c5;
  TestImage t = with({0x48, 0x8b, 0x06});  // mov rax, [rsi]
  EXPECT_EQ(run(t).result, kCanaries);
  t.image.placement.bpf_stack = {};
  EXPECT_EQ(run(t).detail, "a BPF stack of a size or at an address that cannot be");
  // mov rax, [rsi + 4088]; mov [rsi + 4088], rsi
  t = with({0x48, 0x8b, 0x86, 0xf8, 0x0f, 0, 0, 0x48, 0x89, 0xb6, 0xf8, 0x0f, 0, 0});
  EXPECT_EQ(run(t).result, kCanaries);
  EXPECT_EQ(run(t).result, kCanaries);
  t = with({0x8a, 0x46, 0xff});  // mov al, [rsi - 1]
  EXPECT_EQ(run(t).stop, StopReason::kFault);
  EXPECT_TRUE(run(t).detail.starts_with("read of memory for BPF stacks -1 at")) << run(t).detail;
  t = with({0x8a, 0x86, 0x00, 0x10, 0, 0});  // mov al, [rsi + 4096]
  EXPECT_EQ(run(t).stop, StopReason::kFault);
  // Only who is given it has it: mov rsi, kBpfStackBase; mov rax, [rsi]
  t = with({0x48, 0xbe, 0, 0, 0, 0, 0x56, 0, 0, 0, 0x48, 0x8b, 0x06});
  EXPECT_EQ(run(t).result, kCanaries);
  t.image.registers.entry_stack = NativeRegister{};
  EXPECT_EQ(run(t).stop, StopReason::kFault);
}

TEST_F(MachineX86_64, RefusesAFramePointerThatDoesNotExist) {
  TestImage t(arena_);
  straight_return(t);
  t.image.registers.frame_pointer = 31;
  EXPECT_EQ(run(t).detail, "a register that does not exist");
}

}  // namespace
}  // namespace plumb::machine
