// SPDX-License-Identifier: GPL-2.0-or-later
//
// Thunks that functions go through: on the way to others, to helpers, and out.
#include "core/helper_model.h"
#include "machine/testing_thunks.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineThunks : public MachineWithThunks {};

INSTANTIATE_TEST_SUITE_P(Archs, MachineThunks,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

// Between them, a frame for main to live in.
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

// Of a thunk that does not say its size, 64 bytes are known.
// The kernel's: a call that nobody returns from, whose return address is replaced or dropped.
TEST_F(MachineX86_64, FollowsThunksThatDropWhatTheyCallWith) {
  TestImage t(arena_);
  const std::uint64_t helper = t.image.entry + 0x100;
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_call_helper(7));
  t.bytes({0xb9, 0x70, 0x00, 0x00, 0x50});  // mov ecx, stub 7
  ASSERT_EQ(t.stub(7), 0x50000070u);
  t.call(helper);
  t.slot(bpf_call_function(1)).call(t.image.entry + 0x80);
  t.slot(bpf_exit()).bytes({0xc9}).jump(helper + 0x40).body_end();  // leave
  t.align(0x80).function(0, 1);
  t.slot(bpf_exit()).jump(helper + 0x40).body_end();
  t.align(0x100).thunk("__x86_indirect_thunk_rcx");
  t.bytes({0xe8, 7, 0, 0, 0, 0xf3, 0x90, 0x0f, 0xae, 0xe8, 0xeb, 0xf9});  // call over; pause ...
  t.bytes({0x48, 0x89, 0x0c, 0x24, 0xc3});  // over: mov [rsp], rcx; ret
  t.align(0x40).thunk("__x86_return_thunk");
  t.call(t.here() + 6).bytes({0xcc, 0x48, 0x8d, 0x64, 0x24, 0x08, 0xc3});  // lea rsp, [rsp + 8]
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kCall, kReturn, kExit}));
    EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
    EXPECT_EQ(r.events[0].shadow, 0);
    EXPECT_EQ(r.events[1].shadow, 0);
    EXPECT_EQ(r.events[2].returned_sp, r.events[1].sp);
    EXPECT_EQ(r.events[3].shadow, 0);
  }
}

// Call depth tracking: 16 calls that fill the return stack buffer, then one return for them all.
TEST_F(MachineX86_64, FollowsAReturnThunkThatFillsTheReturnStackBuffer) {
  TestImage t(arena_);
  t.function(0, 0);
  t.slot(bpf_call_function(1)).call(t.image.entry + 0x40);
  t.slot(bpf_exit()).jump(t.image.entry + 0x80).body_end();
  t.align(0x40).function(0, 1);
  t.slot(bpf_exit()).jump(t.image.entry + 0x80).body_end();
  t.align(0x80).thunk("__x86_return_thunk");
  for (int i = 0; i < 16; ++i) t.call(t.here() + 6).bytes({0xcc});  // call over; int3; over:
  t.bytes({0x48, 0x81, 0xc4, 0x80, 0, 0, 0, 0xc3});                 // add rsp, 128; ret
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit}));
  }
}

TEST_P(MachineThunks, LeadHelpersBackToFunctions) {
  for (const bool is_jump : {false, true}) {
    TestImage t = image();
    open(t, 0, 0);
    // The callback is what lies where a function of this number would.
    loop(t, kThunkSpace, 0);
    exit(t);
    open(t, 0, 1);
    set_result(t, 0);
    exit(t);
    if (is_jump) {
      t.skip_to(address_of_thunk(0)).thunk("callback");
      jump(t, address_of(0, 1));
    } else {
      open_thunk(t, 0, false);
      call(t, address_of(0, 1));
      close_thunk(t, false);
    }
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r =
          returned(t, options, {kHelperCall, kCallback, kReturn, kCallback, kReturn, kExit});
      ASSERT_FALSE(HasFailure());
      EXPECT_EQ(r.result, 2u);
      EXPECT_EQ(r.events[1].call, 0);
      EXPECT_EQ(r.events[1].at, r.events[0].at);
      EXPECT_EQ(r.events[2].call, 1);
      EXPECT_EQ(r.events[2].returned_sp, r.events[1].sp);
      EXPECT_EQ(r.activations[1].helper_event, 0);
    }
  }
}

}  // namespace
}  // namespace plumb::machine
