// SPDX-License-Identifier: GPL-2.0-or-later
//
// Thunks that enter programs, and end them.
#include "core/guest.h"
#include "machine/testing_thunks.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineEntryThunks : public MachineWithThunks {};

INSTANTIATE_TEST_SUITE_P(Archs, MachineEntryThunks,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachineEntryThunks, EnterAProgramByACall) {
  for (const bool keeps_record : {false, true}) {
    TestImage t = image();
    call_and_helper(t);
    t.image.entry = open_thunk(t, 0, keeps_record);
    call(t, address_of(0, 0));
    const std::uint64_t back = t.here();
    close_thunk(t, keeps_record);
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = returned(t, options, {kCall, kHelperCall, kReturn, kExit});
      ASSERT_FALSE(HasFailure());
      ASSERT_EQ(r.activations.size(), 2u);
      EXPECT_EQ(r.activations[0].return_address, back);
      EXPECT_LT(r.activations[0].entry_sp, r.entry_sp);
      EXPECT_EQ(r.entry_sp % 16, call_pushes());
      ASSERT_EQ(r.shadow.size(), 4u);
      EXPECT_EQ(r.shadow[0].keeps_record, keeps_record);
      EXPECT_EQ(r.shadow[1], (ShadowFrame{.return_address = back,
                                          .sp = r.activations[0].entry_sp,
                                          .parent = 0,
                                          .activation = 0,
                                          .event = -1}));
      EXPECT_EQ(r.shadow[2].parent, 1);
      EXPECT_EQ(r.events[0].shadow, 1);
      EXPECT_EQ(r.events.back().at, (Place{0, 0, 1}));
      EXPECT_EQ(r.events.back().shadow, 0);
    }
  }
}

TEST_P(MachineEntryThunks, EnterAProgramByAJumpAndEndItTogether) {
  TestImage t = image();
  t.function(0, 0);
  set_result(t, 9);
  t.slot(bpf_exit());
  jump(t, address_of_thunk(1));
  t.body_end();
  t.image.entry = open_thunk(t, 0, true);
  jump(t, address_of(0, 0));
  t.skip_to(address_of_thunk(1)).thunk("epilogue");
  take_down(t);
  ret(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kExit});
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(r.result, 9u);
    EXPECT_LT(r.activations[0].entry_sp, r.entry_sp);
    EXPECT_EQ(r.activations[0].return_address, guest::kExitAddress);
    EXPECT_EQ(r.events[0].at, (Place{0, 0, 1}));
    EXPECT_EQ(r.shadow.size(), 1u);
  }
}

TEST_P(MachineEntryThunks, RunOnIntoAProgramAndOutOfIt) {
  TestImage t = image();
  t.thunk("prologue");
  if (is_x86()) {
    t.prologue();
  } else {
    t.words(code_.prologue);
  }
  t.function(0, 0);
  set_result(t, 9);
  t.slot(bpf_exit()).body_end();
  t.thunk("epilogue");
  take_down(t);
  ret(t);
  ASSERT_LT(t.image.entry, t.image.functions[0].address);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kExit});
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(r.result, 9u);
    EXPECT_LT(r.activations[0].entry_sp, r.entry_sp);
  }
}

TEST_P(MachineEntryThunks, HaveToEnterTheProgramFirst) {
  struct Row {
    const char* detail;
    std::uint64_t target;
  };
  const Row rows[] = {
      {"before the program began, control arrived at program 0 function 1 +0x0", address_of(0, 1)},
      {"before the program began, control arrived at program 0 function 0 +0x4",
       address_of(0, 0) + 4},
      {"control arrived at stub of helper 7", image().stub(7)},
      {"before the program began, control arrived at the exit page", 0}};
  for (const Row& row : rows) {
    for (const RunOptions& options : kEveryDepth) {
      TestImage t = image();
      call_and_helper(t);
      t.image.entry = open_thunk(t, 0, false);
      if (row.target != 0) call(t, row.target);
      close_thunk(t, false);
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.stop, StopReason::kWildJump);
      EXPECT_TRUE(r.detail.starts_with(row.detail)) << r.detail;
    }
  }
}

TEST_P(MachineEntryThunks, OfNoProgramAreNoEntry) {
  TestImage t = image();
  t.function(0, 0);
  ret(t);
  t.value.programs.emplace_back().functions.emplace_back();
  t.value.enter = 1;
  t.image.entry = open_thunk(t, 0, false);
  EXPECT_EQ(run(t, kFastRun).detail, "the entry is no function");
}

TEST_P(MachineEntryThunks, MayLeaveOutTheirSize) {
  TestImage t = image();
  call_and_helper(t);
  t.image.entry = open_thunk(t, 0, false);
  call(t, address_of(0, 0));
  close_thunk(t, false);
  t.image.symbols.back().size = 0;
  for (const RunOptions& options : kEveryDepth) {
    EXPECT_EQ(returned(t, options, {kCall, kHelperCall, kReturn, kExit}).shadow.size(), 4u);
  }
}

}  // namespace
}  // namespace plumb::machine
