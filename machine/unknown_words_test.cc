// SPDX-License-Identifier: GPL-2.0-or-later
//
// JITs that do not say everything: registers, where instructions begin, where tail calls land.
#include <algorithm>

#include "machine/testing_any_arch.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineUnknown : public MachineAnyArch {};

INSTANTIATE_TEST_SUITE_P(Archs, MachineUnknown,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachineUnknown, R10ThatIsNotKnownIsNotNoted) {
  for (const bool knows_register : {false, true}) {
    TestImage t = image();
    if (knows_register) {
      t.image.registers.r10_bias = std::nullopt;
    } else {
      t.image.registers.bpf[10] = NativeRegister{};
    }
    open(t, 0, 0);
    call_helper(t, 7);
    exit(t);
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = run(t, options);
      ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kExit})) << r.detail;
      EXPECT_EQ(r.activations[0].r10, 0u);
    }
  }
}

TEST_P(MachineUnknown, ThereIsNothingToWalkWithoutAFramePointer) {
  const std::uint8_t number = image().image.registers.frame_pointer.number();
  for (const NativeRegister none : {NativeRegister{}, NativeRegister::none()}) {
    TestImage t = image();
    t.image.registers.frame_pointer = none;
    open(t, 0, 0);
    call_function(t, 0, 1);
    exit(t);
    open(t, 0, 1);
    exit(t);
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = run(t, options);
      ASSERT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit})) << r.detail;
      EXPECT_EQ(r.events[0].chain_size, 0u);
      EXPECT_TRUE(r.frames.empty());
      EXPECT_NE(r.entry_registers[number], kPoisonFramePointer);
      EXPECT_EQ(r.exit_registers[number], r.entry_registers[number]);
    }
  }
}

// The context in R6's register, its size in another; a helper that takes both fills it.
TEST_P(MachineUnknown, FunctionsMayNotSayWhereInstructionsBegin) {
  TestImage t = image();
  open(t, 0, 0);
  call_function(t, 0, 1);
  exit(t);
  open(t, 0, 1);
  tail_call(t, 1);
  exit(t);
  open(t, 1, 0);
  call_helper(t, 7);
  exit(t);
  t.forget_offsets();
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kCall, kTailCallTaken, kHelperCall, kReturn, kExit})) << r.detail;
    EXPECT_EQ(r.events[0].at, (Place{0, 0, -1}));
    EXPECT_EQ(r.events[1].at, (Place{0, 1, -1}));
    EXPECT_EQ(r.events[2].at, (Place{1, 0, -1}));
    EXPECT_TRUE(r.events[3].settled);
    EXPECT_TRUE(r.tail_calls_seen);
  }
}

TEST_P(MachineUnknown, TailCallsMayLandAnywhereInAnotherProgram) {
  TestImage t = image();
  open(t, 0, 0);
  tail_call(t, 1);
  exit(t);
  open(t, 1, 0);
  set_result(t, 5);
  exit(t);
  NativeFunction& target = t.image.functions[1];
  target.tail_call_entry = std::nullopt;
  EXPECT_EQ(run(t, kFastRun).stop, StopReason::kWildJump);
  target.tail_call_entry_unknown = true;
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kTailCallTaken, kExit})) << r.detail;
    EXPECT_EQ(r.events[0].target, 1);
    EXPECT_EQ(r.result, 5u);
    EXPECT_TRUE(r.tail_calls_seen);
  }
}

// A program that tail-calls itself without end.
TEST_P(MachineUnknown, TailCallsThatLookLikeBranchesAreOwnedUpTo) {
  struct Row {
    bool offsets_known;
    bool landing_known;
    bool loops_to_start;
    bool seen;
  };
  constexpr Row kRows[] = {{true, true, true, true},     {true, false, true, true},
                           {false, true, false, true},   {false, true, true, false},
                           {false, false, false, false}, {false, false, true, false}};
  for (const Row& row : kRows) {
    TestImage t = image();
    t.value.arrays.push_back({.name = "jmp", .slots = {0}});
    open(t, 0, 0);
    tail_call(t, 0);
    if (row.loops_to_start) t.slot(bpf_goto(-2));
    exit(t);
    if (!row.offsets_known) t.forget_offsets();
    t.image.functions[0].tail_call_entry_unknown = !row.landing_known;
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.tail_calls_seen, row.seen);
      const bool is_counted = row.offsets_known || row.landing_known;
      EXPECT_EQ(r.stop, is_counted ? StopReason::kTailCallBound : StopReason::kBudget) << r.detail;
      EXPECT_EQ(r.tail_calls, is_counted ? 34u : 0u);
    }
    t.value.arrays.clear();
    EXPECT_TRUE(run(t, kFastRun).tail_calls_seen);
  }
}

TEST_F(MachineX86_64, KnowsWhatStoresWhereOffsetsAreNotKnown) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x83, 0xec, 0x20});  // sub rsp, 32
  constexpr std::uint8_t kAtomic64 = 0xdb;
  t.slot({.opcode = kAtomic64, .dst = 10, .src = 0, .offset = -8, .immediate = 0});
  const std::uint64_t place = t.here();
  t.bytes({0xf0, 0x48, 0x01, 0x45, 0xf8});  // lock add [rbp - 8], rax
  t.exit().body_end();
  t.image.functions[0].insn_offsets.clear();
  const MachineRun& r = run(t);
  ASSERT_EQ(r.accesses.size(), 2u) << r.detail;
  EXPECT_EQ(r.accesses[1].pc, place);
}

}  // namespace
}  // namespace plumb::machine
