// SPDX-License-Identifier: GPL-2.0-or-later
//
// Code that belongs to no function: it enters programs, calls for functions, and ends them.
#include <algorithm>
#include <string>
#include <vector>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/testing_any_arch.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineThunks : public MachineAnyArch {
 protected:
  static constexpr int kThunkSpace = 8;  // programs from here on have their place for thunks

  // The next thunk, which saves what it has to.
  std::uint64_t open_thunk(TestImage& t, int number, bool keeps_record) const {
    t.skip_to(address_of_thunk(number));
    const std::uint64_t address = t.thunk("thunk");
    if (!keeps_record) {
      save(t);
    } else if (is_x86()) {
      t.prologue();
    } else {
      t.words(code_.prologue);
    }
    return address;
  }
  void close_thunk(TestImage& t, bool keeps_record) const {
    if (keeps_record) {
      take_down(t);
    } else {
      restore(t);
    }
    ret(t);
  }
  [[nodiscard]] std::uint64_t address_of_thunk(int number) const {
    return address_of(kThunkSpace + number, 0);
  }
  // main calls sub; sub calls helper 7
  void call_and_helper(TestImage& t) const {
    open(t, 0, 0);
    call_function(t, 0, 1);
    exit(t);
    open(t, 0, 1);
    call_helper(t, 7);
    exit(t);
  }
  // Instruction 0 of the function calls the helper by a call of the thunk.
  void call_helper_through(TestImage& t, std::int32_t helper, int thunk) const {
    t.slot(bpf_call_helper(helper));
    call(t, address_of_thunk(thunk));
  }

  const MachineRun& returned(const TestImage& t, const RunOptions& options, const Kinds& expected) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), expected);
    EXPECT_EQ(r.exit_sp, r.entry_sp + call_pushes());
    EXPECT_EQ(r.caller_stack_changed, 0u);
    for (const MachineEvent& event : r.events) expect_walk_matches(r, event);
    return r;
  }
  // What a walk along the frame pointers finds are the calls in progress that keep records.
  void expect_walk_matches(const MachineRun& r, const MachineEvent& event) const {
    if (event.kind != kCall && event.kind != kHelperCall) return;
    std::vector<std::uint64_t> expected;
    for (std::int32_t i = event.shadow; i >= 0;) {
      const ShadowFrame& frame = r.shadow[static_cast<std::size_t>(i)];
      if (frame.keeps_record) expected.push_back(frame.return_address);
      i = frame.parent;
    }
    std::vector<std::uint64_t> found;
    for (std::uint32_t i = 0; i < event.chain_size; ++i) {
      found.push_back(r.frames[event.chain_begin + i].return_address);
    }
    EXPECT_EQ(found, expected);
  }
};

INSTANTIATE_TEST_SUITE_P(Archs, MachineThunks,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachineThunks, EnterAProgramByACall) {
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

// Between them, a frame for main to live in.
TEST_P(MachineThunks, EnterAProgramByAJumpAndEndItTogether) {
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

TEST_P(MachineThunks, RunOnIntoAProgramAndOutOfIt) {
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

TEST_P(MachineThunks, EndFunctionsThatShareAnEpilogue) {
  TestImage t = image();
  const auto exit_by_jump = [&] {
    t.slot(bpf_exit());
    jump(t, address_of_thunk(0));
    t.body_end();
  };
  open(t, 0, 0);
  call_function(t, 0, 1);
  exit_by_jump();
  open(t, 0, 1);
  set_result(t, 3);
  exit_by_jump();
  t.skip_to(address_of_thunk(0)).thunk("epilogue");
  take_down(t);
  ret(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kCall, kReturn, kExit});
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(r.result, 3u);
    EXPECT_EQ(r.events[1].sp, r.events[0].sp);
    EXPECT_EQ(r.events[2].at, (Place{0, 0, 1}));
  }
}

TEST_P(MachineThunks, CallHelpersByAJump) {
  TestImage t = image();
  open(t, 0, 0);
  call_helper_through(t, 7, 0);
  const std::uint64_t back = t.here();
  exit(t);
  t.skip_to(address_of_thunk(0)).thunk("helper");
  jump(t, t.stub(7));
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kHelperCall, kExit});
    ASSERT_FALSE(HasFailure());
    const MachineEvent& event = r.events[0];
    EXPECT_EQ(event.at, (Place{0, 0, 0}));
    EXPECT_EQ(event.pc, back);
    EXPECT_EQ(event.target, 7);
    EXPECT_EQ(event.shadow, 0);
    ASSERT_EQ(r.shadow.size(), 2u);
    EXPECT_EQ(r.shadow[1], (ShadowFrame{.return_address = back,
                                        .sp = event.sp - call_pushes(),
                                        .parent = 0,
                                        .activation = 0,
                                        .event = 0}));
  }
}

TEST_P(MachineThunks, CallHelpersByACall) {
  for (const bool keeps_record : {false, true}) {
    TestImage t = image();
    open(t, 0, 0);
    call_helper_through(t, 7, 0);
    const std::uint64_t back = t.here();
    call_helper_through(t, 5, 1);
    exit(t);
    for (const int number : {0, 1}) {
      open_thunk(t, number, keeps_record);
      call(t, t.stub(number == 0 ? 7 : 5));
      close_thunk(t, keeps_record);
    }
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = returned(t, options, {kHelperCall, kHelperCall, kExit});
      ASSERT_FALSE(HasFailure());
      EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
      EXPECT_EQ(r.events[0].pc, back);
      EXPECT_EQ(r.events[0].shadow, 0);
      EXPECT_EQ(r.events[1].at, (Place{0, 0, 1}));
      EXPECT_EQ(r.events[1].sp, r.events[0].sp);
      ASSERT_EQ(r.shadow.size(), 5u);
      EXPECT_EQ(r.shadow[1].event, -1);
      EXPECT_EQ(r.shadow[1].keeps_record, keeps_record);
      EXPECT_EQ(r.shadow[2].parent, 1);
      EXPECT_EQ(r.shadow[2].event, 0);
      EXPECT_EQ(r.shadow[3].parent, 0);
    }
  }
}

TEST_P(MachineThunks, CallThunksThatCallOn) {
  TestImage t = image();
  open(t, 0, 0);
  call_helper_through(t, 7, 0);
  exit(t);
  open_thunk(t, 0, false);
  call(t, address_of_thunk(1));
  close_thunk(t, false);
  open_thunk(t, 1, true);
  call(t, address_of_thunk(2));
  close_thunk(t, true);
  t.skip_to(address_of_thunk(2)).thunk("last");
  jump(t, t.stub(7));
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kHelperCall, kExit});
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
    EXPECT_EQ(r.events[0].shadow, 0);
    EXPECT_EQ(r.shadow.size(), 4u);
    EXPECT_EQ(r.shadow[3].event, 0);
  }
}

TEST_P(MachineThunks, StopWhenTheyCallEachOtherWithoutEnd) {
  TestImage t = image();
  open(t, 0, 0);
  call_helper_through(t, 7, 0);
  exit(t);
  open_thunk(t, 0, false);
  call(t, address_of_thunk(0));
  close_thunk(t, false);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kWildJump);
    EXPECT_TRUE(
        r.detail.starts_with("calls of thunks by thunks lead to thunk thunk +0x0, from "
                             "program 0 function 0 +"))
        << r.detail;
  }
}

TEST_P(MachineThunks, CallFunctions) {
  for (const bool is_jump : {false, true}) {
    TestImage t = image();
    open(t, 0, 0);
    t.slot(bpf_call_function(1));
    call(t, address_of_thunk(0));
    const std::uint64_t back = t.here();
    call_helper(t, 7);
    exit(t);
    open(t, 0, 1);
    call_helper(t, 5);
    exit(t);
    std::uint64_t back_in_thunk = back;
    if (is_jump) {
      t.skip_to(address_of_thunk(0)).thunk("trampoline");
      jump(t, address_of(0, 1));
    } else {
      open_thunk(t, 0, false);
      call(t, address_of(0, 1));
      back_in_thunk = t.here();
      close_thunk(t, false);
    }
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = returned(t, options, {kCall, kHelperCall, kReturn, kHelperCall, kExit});
      ASSERT_FALSE(HasFailure());
      const MachineEvent& called = r.events[0];
      const MachineEvent& came_back = r.events[2];
      EXPECT_EQ(called.at, (Place{0, 0, 0}));
      EXPECT_EQ(called.pc, back);
      EXPECT_EQ(r.activations[1].return_address, back_in_thunk);
      EXPECT_EQ(came_back.at, called.at);
      EXPECT_EQ(came_back.pc, back);
      EXPECT_EQ(came_back.sp, called.sp);
      EXPECT_EQ(came_back.returned_sp, called.sp);
      EXPECT_TRUE(came_back.settled);
      EXPECT_EQ(came_back.call, 0);
      EXPECT_EQ(r.events[3].at, (Place{0, 0, 1}));
      EXPECT_EQ(r.events[3].sp, called.sp);
    }
  }
}

TEST_P(MachineThunks, GoOnInTheFunctionThatJumpedThere) {
  TestImage t = image();
  open(t, 0, 0);
  t.slot(bpf_call_function(1));
  jump(t, address_of_thunk(0));
  const std::uint64_t back = t.here();
  call_helper(t, 7);
  exit(t);
  open(t, 0, 1);
  exit(t);
  t.skip_to(address_of_thunk(0)).thunk("glue");
  call(t, address_of(0, 1));
  jump(t, back);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kCall, kReturn, kHelperCall, kExit});
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
    EXPECT_EQ(r.events[1].returned_sp, r.events[0].sp);
  }
}

// The target is entered as the kernel enters it: through code that calls it.
TEST_P(MachineThunks, TakeTailCallsByACall) {
  TestImage t = image();
  open(t, 0, 0);
  t.slot(bpf_call_helper(kTailCallHelper));
  take_down(t);
  jump(t, address_of_thunk(1));
  exit(t);
  open(t, 1, 0);
  t.image.functions.back().tail_call_entry = 0;
  call_helper(t, 7);
  exit(t);
  for (const int program : {0, 1}) {
    t.image.program_entries.push_back(open_thunk(t, program, false));
    call(t, address_of(program, 0));
    close_thunk(t, false);
  }
  t.image.entry = t.image.program_entries[0];
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = returned(t, options, {kTailCallTaken, kHelperCall, kExit});
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
    EXPECT_EQ(r.events[0].target, 1);
    ASSERT_EQ(r.activations.size(), 2u);
    EXPECT_EQ(r.activations[1].replaced, 0);
    EXPECT_EQ(r.events[2].activation, 1u);
    EXPECT_EQ(r.events[2].at, (Place{1, 0, 1}));
  }
}

TEST_P(MachineThunks, AreNoLicenceToLandAnywhere) {
  // Of function 1, one word behind the entry.
  const std::uint64_t inside = address_of(0, 1) + (is_x86() ? 1 : 4);
  const auto with = [&](bool calls, std::uint64_t target) {
    TestImage t = image();
    open(t, 0, 0);
    call_helper_through(t, 7, 0);
    exit(t);
    open(t, 0, 1);
    exit(t);
    t.skip_to(address_of_thunk(0)).thunk("glue");
    if (calls) {
      call(t, target);
    } else {
      jump(t, target);
    }
    return t;
  };
  for (const RunOptions& options : kEveryDepth) {
    EXPECT_TRUE(run(with(false, inside), options)
                    .detail.starts_with("a call landed inside program 0 function 1 +0x"));
    EXPECT_TRUE(run(with(true, inside), options)
                    .detail.starts_with("a call landed inside program 0 function 1 +0x"));
    TestImage undeclared = with(false, address_of(0, 1));
    undeclared.image.symbols.clear();
    const MachineRun& r = run(undeclared, options);
    EXPECT_EQ(r.stop, StopReason::kWildJump);
    EXPECT_TRUE(r.detail.starts_with("control arrived at the arena, outside all code")) << r.detail;
  }
}

TEST_P(MachineThunks, HaveToEnterTheProgramFirst) {
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

TEST_P(MachineThunks, OfNoProgramAreNoEntry) {
  TestImage t = image();
  t.function(0, 0);
  ret(t);
  t.value.programs.emplace_back().functions.emplace_back();
  t.value.enter = 1;
  t.image.entry = open_thunk(t, 0, false);
  EXPECT_EQ(run(t, kFastRun).detail, "the entry is no function");
}

// Of a thunk that does not say its size, 64 bytes are known.
TEST_P(MachineThunks, MayLeaveOutTheirSize) {
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
