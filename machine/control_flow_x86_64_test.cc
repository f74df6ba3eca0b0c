// SPDX-License-Identifier: GPL-2.0-or-later
//
// Calls, tail calls, returns, and control that arrives where nothing may.
#include "core/guest.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

// main: call f; exit    f: r0 = 9; exit
void one_call(TestImage& t) {
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_call_function(1)).call(t.here() + 7);
  t.exit().body_end();
  t.function(0, 1);
  t.prologue();
  t.slot(bpf_mov(0, 9)).bytes({0xb8, 9, 0, 0, 0});  // mov eax, 9
  t.exit().body_end();
}

TEST_F(MachineX86_64, RecordsAStraightReturn) {
  TestImage t(arena_);
  straight_return(t);
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(r.result, 7u);
  EXPECT_EQ(kinds(r), Kinds{kExit});
  EXPECT_EQ(r.events[0].at, (Place{0, 0, 1}));
  EXPECT_EQ(r.events[0].pc, guest::kExitAddress);
  EXPECT_EQ(r.entry_sp % 16, 8u);
  EXPECT_EQ(r.exit_sp, r.entry_sp + 8);
  EXPECT_EQ(r.exit_registers[kRbp], kPoisonFramePointer);
  ASSERT_EQ(r.activations.size(), 1u);
  EXPECT_EQ(r.activations[0].return_address, guest::kExitAddress);
  EXPECT_EQ(r.activations[0].entry_sp, r.entry_sp);
  EXPECT_EQ(r.context, t.value.context);
  EXPECT_TRUE(r.object_padding_intact);
}

TEST_F(MachineX86_64, RecordsACallAndItsReturn) {
  TestImage t(arena_);
  one_call(t);
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(r.result, 9u);
  ASSERT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit}));
  const std::uint64_t back = t.image.functions[0].address + 9;
  const MachineEvent& call = r.events[0];
  EXPECT_EQ(call.at, (Place{0, 0, 0}));
  EXPECT_EQ(call.target, 1);
  EXPECT_EQ(call.activation, 0u);
  EXPECT_EQ(call.pc, back);
  EXPECT_EQ(call.sp, r.entry_sp - 8);
  EXPECT_EQ(call.registers[kRsp], call.sp);
  EXPECT_EQ(call.registers[kRbp], call.sp);
  EXPECT_EQ(call.registers[kRdi], guest::context_address(16));
  ASSERT_EQ(call.chain_size, 1u);
  EXPECT_EQ(r.frames[0], (FrameRecord{call.sp, kPoisonFramePointer, guest::kExitAddress}));
  const MachineEvent& returned = r.events[1];
  EXPECT_EQ(returned.at, call.at);
  EXPECT_EQ(returned.activation, 0u);
  EXPECT_EQ(returned.pc, back);
  EXPECT_EQ(returned.sp, call.sp);
  ASSERT_EQ(r.activations.size(), 2u);
  EXPECT_EQ(r.activations[0].r10, r.entry_sp - 8);
  EXPECT_EQ(r.activations[1].function, 1);
  EXPECT_EQ(r.activations[1].caller, 0);
  EXPECT_EQ(r.activations[1].return_address, back);
  EXPECT_EQ(r.activations[1].entry_sp, call.sp - 8);
}

TEST_F(MachineX86_64, WalksTheFramePointersThroughNestedCalls) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_call_function(1)).call(t.here() + 7);
  t.exit().body_end();
  const std::uint64_t middle = t.function(0, 1);
  t.prologue();
  t.slot(bpf_call_helper(7)).call_helper(7);
  t.exit().body_end();
  const MachineRun& r = run(t);
  ASSERT_EQ(kinds(r), (Kinds{kCall, kHelperCall, kReturn, kExit})) << r.detail;
  const MachineEvent& helper = r.events[1];
  ASSERT_EQ(helper.chain_size, 2u);
  const FrameRecord* const chain = &r.frames[helper.chain_begin];
  EXPECT_EQ(chain[0], (FrameRecord{helper.sp, r.entry_sp - 8, middle - 2}));
  EXPECT_EQ(chain[1], (FrameRecord{r.entry_sp - 8, kPoisonFramePointer, guest::kExitAddress}));
}

TEST_F(MachineX86_64, EndsTheWalkAtAFramePointerThatPointsNowhere) {
  TestImage t(arena_);
  t.function(0, 0);
  t.bytes({0x55, 0x48, 0xc7, 0xc5, 0x34, 0x12, 0, 0});  // push rbp; mov rbp, 0x1234
  t.slot(bpf_call_helper(7)).call_helper(7);
  t.slot(bpf_exit()).bytes({0x5d, 0xc3}).body_end();  // pop rbp; ret
  const MachineRun& r = run(t);
  ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kExit})) << r.detail;
  ASSERT_EQ(r.events[0].chain_size, 1u);
  EXPECT_EQ(r.frames[0], (FrameRecord{0x1234, 0, 0}));
}

// Program 0 tail-calls program 1 when the context's first byte is 1, else goes on: r0 = 3; exit.
// Program 1: r0 = 5; exit.
void tail_call(TestImage& t, bool take) {
  t.value.context[0] = take ? 1 : 0;
  t.function(0, 0);
  t.prologue().tail_call_entry();
  t.slot(bpf_call_helper(12)).bytes({0x80, 0x3f, 0x01, 0x75, 5});  // cmp byte [rdi], 1; jne out
  t.jump(t.here() + 5 + 5 + 2 + 4);
  t.slot(bpf_mov(0, 3)).bytes({0xb8, 3, 0, 0, 0});  // out: mov eax, 3
  t.exit().body_end();
  t.function(1, 0);
  t.prologue().tail_call_entry();
  t.slot(bpf_mov(0, 5)).bytes({0xb8, 5, 0, 0, 0});  // mov eax, 5
  t.exit().body_end();
}

TEST_F(MachineX86_64, RecordsATailCallThatIsTaken) {
  TestImage t(arena_);
  tail_call(t, true);
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(r.result, 5u);
  ASSERT_EQ(kinds(r), (Kinds{kTailCallTaken, kExit}));
  EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
  EXPECT_EQ(r.events[0].activation, 0u);
  EXPECT_EQ(r.events[0].target, 1);
  EXPECT_EQ(r.events[0].sp, r.entry_sp - 8);
  EXPECT_EQ(r.events[1].activation, 1u);
  EXPECT_EQ(r.events[1].at, (Place{1, 0, 1}));
  EXPECT_EQ(r.tail_calls, 1u);
  ASSERT_EQ(r.activations.size(), 2u);
  EXPECT_EQ(r.activations[1].program, 1);
  EXPECT_EQ(r.activations[1].caller, -1);
  EXPECT_EQ(r.activations[1].replaced, 0);
  EXPECT_EQ(r.activations[1].entry_sp, r.events[0].sp);
  EXPECT_EQ(r.activations[1].return_address, guest::kExitAddress);
}

TEST_F(MachineX86_64, RecordsATailCallThatIsRefused) {
  TestImage t(arena_);
  tail_call(t, false);
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(r.result, 3u);
  ASSERT_EQ(kinds(r), (Kinds{kTailCallRefused, kExit}));
  EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
  EXPECT_EQ(r.tail_calls, 0u);
  EXPECT_EQ(r.activations.size(), 1u);
}

// A direct tail call whose slot is empty may be nothing but a nop that waits to be patched.
TEST_F(MachineX86_64, RecordsARefusedTailCallThatRunsStraightOn) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue().tail_call_entry();
  t.slot(bpf_call_helper(12)).bytes({0x0f, 0x1f, 0x44, 0, 0});  // nop5
  t.slot(bpf_mov(0, 3)).bytes({0xb8, 3, 0, 0, 0});              // mov eax, 3
  t.exit().body_end();
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(kinds(r), (Kinds{kTailCallRefused, kExit})) << r.detail;
    EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
    EXPECT_EQ(r.events[0].registers[kRbp], r.entry_sp - 8);
  }
}

// A program that tail-calls itself without end.
void endless_tail_calls(TestImage& t) {
  const std::uint64_t entry = t.function(0, 0);
  t.prologue().tail_call_entry();
  t.slot(bpf_call_helper(12)).jump(entry + 4);
  t.exit().body_end();
}

TEST_F(MachineX86_64, StopsAtTheTailCallThatIsOneTooMany) {
  TestImage t(arena_);
  endless_tail_calls(t);
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kTailCallBound) << r.detail;
    EXPECT_EQ(r.tail_calls, 34u);
    EXPECT_EQ(r.events.size(), 34u);
    EXPECT_EQ(r.activations.size(), 35u);
  }
}

// The layouts before 5.10 let tail calls land on the first instruction of the body.
TEST_F(MachineX86_64, TellsALoopToTheFirstInstructionFromATailCallThatLandsThere) {
  TestImage t(arena_);
  const std::uint64_t entry = t.function(0, 0);
  t.prologue();
  t.bytes({0xb9, 3, 0, 0, 0});  // mov ecx, 3
  t.tail_call_entry();
  t.slot(bpf_mov(0, 1)).bytes({0xff, 0xc9});  // dec ecx
  t.slot(bpf_goto(-2)).bytes({0x7f, 0xfc});   // jg -2
  t.exit().body_end();
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(kinds(r), Kinds{kExit});
  EXPECT_EQ(r.activations[0].r10, r.entry_sp - 8);
  EXPECT_EQ(*t.image.functions[0].tail_call_entry, t.image.functions[0].insn_offsets[0]);
  EXPECT_EQ(entry, t.image.entry);
}

TEST_F(MachineX86_64, FollowsReturnThunksAndRetpolines) {
  TestImage t(arena_);
  t.function(0, 0);
  const std::uint64_t thunks = t.here() + 0x100;
  t.prologue().tail_call_entry();
  t.slot(bpf_call_helper(12));
  t.bytes({0xb9}).bytes({0x80, 0x00, 0x01, 0x50});  // mov ecx, 0x50010080
  t.jump(thunks);
  t.exit().body_end();
  t.align(0x80);
  ASSERT_EQ(t.here(), 0x50010080u);
  t.function(1, 0);
  t.tail_call_entry();
  t.slot(bpf_mov(0, 5)).bytes({0xb8, 5, 0, 0, 0});                // mov eax, 5
  t.slot(bpf_exit()).bytes({0xc9}).jump(thunks + 16).body_end();  // leave; jmp return thunk
  t.align(0x100);
  ASSERT_EQ(t.here(), thunks);
  t.thunk("indirect_thunk_rcx");
  t.bytes({0x51, 0xc3});  // push rcx; ret
  t.align(16).thunk("return_thunk");
  t.bytes({0xc3});  // ret
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  ASSERT_EQ(kinds(r), (Kinds{kTailCallTaken, kExit}));
  EXPECT_EQ(r.events[0].at, (Place{0, 0, 0}));
  EXPECT_EQ(r.result, 5u);
}

// Blocks end after 512 instructions at the latest, and at page boundaries.
TEST_F(MachineX86_64, RecordsACallBehindVeryLongStraightCode) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 1));
  for (int i = 0; i < 3000; ++i) t.bytes({0x48, 0xff, 0xc0});  // inc rax
  t.slot(bpf_call_function(1)).call(t.here() + 7);
  t.exit().body_end();
  t.function(0, 1);
  t.prologue();
  t.exit().body_end();
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit}));
  }
}

// "jmp rel8" by -61 ends in the byte of a return. Here it goes to the return site of a call, and
// below the stack pointer that return's address still stands.
TEST_F(MachineX86_64, TakesAJumpThatLooksLikeAReturnForAJump) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 2)).bytes({0xbb, 2, 0, 0, 0});  // mov ebx, 2
  t.slot(bpf_call_function(1)).call(t.image.entry + 77);
  const std::uint64_t back = t.here();
  t.slot(bpf_mov(0, 0)).bytes({0xff, 0xcb, 0x74, 57});  // dec ebx; jz to the exit
  while (t.here() < back + 59) t.bytes({0x90});
  t.slot(bpf_goto(-2)).bytes({0xeb, 0xc3});  // jmp -61
  t.exit().body_end();
  ASSERT_EQ(t.function(0, 1), t.image.entry + 77);
  t.slot(bpf_exit()).bytes({0xc3}).body_end();
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit}));
}

struct Wild {
  const char* name;
  std::vector<int> main;  // behind the prologue; the callee is at main + 0x20
  std::vector<int> callee;
  const char* detail;  // how the message starts
};

class WildJumps : public MachineX86_64, public testing::WithParamInterface<Wild> {};

TEST_P(WildJumps, Stop) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_call_function(1)).bytes(GetParam().main);
  t.exit().body_end();
  t.align(0x20);
  ASSERT_EQ(t.here(), t.image.entry + 0x20);
  t.function(0, 1);
  t.prologue();
  t.slot(bpf_mov(0, 0)).bytes(GetParam().callee);
  t.exit().body_end();
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kWildJump) << stop_reason_name(r.stop) << ": " << r.detail;
    EXPECT_TRUE(r.detail.starts_with(std::string(GetParam().detail) + ", from ")) << r.detail;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Control, WildJumps,
    testing::Values(Wild{"jump_into_another_function",
                         {0xeb, 0x1f},
                         {0x90},
                         "a jump landed inside program 0 function 1 +0x5"},  // jmp callee + 5
                    Wild{"jump_to_an_entry",
                         {0xeb, 0x1a},
                         {0x90},
                         "a jump landed inside program 0 function 1 +0x0"},  // jmp callee
                    Wild{"call_inside_a_function",
                         {0xe8, 0x1b, 0, 0, 0},
                         {0x90},
                         "a call landed inside program 0 function 1 +0x4"},  // call callee + 4
                    Wild{"call_inside_itself",
                         {0xe8, 0, 0, 0, 0},
                         {0x90},
                         "a call landed inside program 0 function 0 +0x9"},  // call the next
                    Wild{"jump_behind_all_code",
                         {0xe9, 0, 1, 0, 0},
                         {0x90},
                         "control arrived at the arena, outside all code"},
                    Wild{"jump_to_a_helper",
                         {0xe9, 0x67, 0x00, 0xff, 0xff},
                         {0x90},
                         "control arrived at stub of helper 7"},  // jmp stub 7
                    Wild{"call_of_an_unknown_helper",
                         {0xe8, 0x27, 0x00, 0xff, 0xff},
                         {0x90},
                         "a call of a helper that has no mock: stub of helper 3"},  // call stub 3
                    Wild{"call_of_tail_call",
                         {0xe8, 0xb7, 0x00, 0xff, 0xff},
                         {0x90},
                         "a call of a helper that has no mock: stub of helper 12"},  // call stub 12
                    Wild{"call_of_the_loop_routine",
                         {0xe8, 0xf7, 0xbf, 0xff, 0xff},
                         {0x90},
                         "control arrived at the body of a helper"},
                    // The callee returns one byte further than it should: add qword [rsp + 8], 1.
                    Wild{"return_beside_the_call",
                         {0xe8, 0x17, 0, 0, 0},
                         {0x48, 0x83, 0x44, 0x24, 0x08, 0x01},
                         "a return landed at program 0 function 0 +0xa"},
                    // The callee drops its frame and return address: leave; add rsp, 16; ret.
                    Wild{"return_to_the_kernel_from_a_callee",
                         {0xe8, 0x17, 0, 0, 0},
                         {0xc9, 0x48, 0x83, 0xc4, 0x10, 0xc3},
                         "from inside a call, a return landed at the exit page"}),
    [](const auto& row) { return row.param.name; });

TEST_F(MachineX86_64, StopsWhenCodeRunsOnPastItsFunction) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 1)).bytes({0x90}).body_end();
  t.align(0x20);
  t.function(0, 1);
  t.slot(bpf_exit()).bytes({0xc9, 0xc3}).body_end();
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kWildJump);
    EXPECT_TRUE(r.detail.starts_with("code runs on into ")) << r.detail;
  }
}

TEST_F(MachineX86_64, StopsWhenTheKernelIsReachedByAJump) {
  TestImage t(arena_);
  around(t, {0xc9, 0x5a, 0xff, 0xe2});  // leave; pop rdx; jmp rdx
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kWildJump);
  EXPECT_TRUE(r.detail.starts_with("without a return, control arrived at the exit page"))
      << r.detail;
}

TEST_F(MachineX86_64, FaultsWhenControlLeavesTheArena) {
  TestImage t(arena_);
  around(t, {0xff, 0xe7});  // jmp rdi
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kFault);
  EXPECT_EQ(r.fault_address, guest::context_address(16));
  EXPECT_EQ(r.fault_pc, r.fault_address);
}

// mov qword [rsp - 128], 7; mov rax, [rsp - 128]: what the kernel's code must never do.
TEST_F(MachineX86_64, AnInterruptOverwritesWhatLiesBelowTheStackPointer) {
  TestImage t(arena_);
  around(t, {0x48, 0xc7, 0x44, 0x24, 0x80, 7, 0, 0, 0, 0x48, 0x8b, 0x44, 0x24, 0x80});
  EXPECT_EQ(run(t, kFullRun).result, 7u);
  const RunOptions interrupts{.depth = Depth::kInterrupts, .block_budget = 10'000};
  const MachineRun& r = run(t, interrupts);
  EXPECT_EQ(r.stop, StopReason::kReturned);
  EXPECT_EQ(r.result, 0x1e1e'1e1e'1e1e'1e1eu);
  EXPECT_EQ(run(t, kFullRun).result, 7u);
}

// push 7; pop rax: above it.
TEST_F(MachineX86_64, AnInterruptLeavesTheStackAsItIs) {
  TestImage t(arena_);
  around(t, {0x6a, 7, 0x58});
  const MachineRun r = run(t, {.depth = Depth::kInterrupts, .block_budget = 10'000});
  EXPECT_EQ(r.result, 7u);
  EXPECT_EQ(r.steps.size(), run(t, kFullRun).steps.size());
}

TEST_F(MachineX86_64, EndsAnEndlessLoopByBudget) {
  TestImage t(arena_);
  around(t, {0xeb, 0xfe});  // jmp to itself
  EXPECT_EQ(run(t).stop, StopReason::kBudget);
  EXPECT_EQ(run(t, kFullRun).stop, StopReason::kBudget);
}

TEST_F(MachineX86_64, NamesTrapsAndUndefinedInstructionsWithTheirPlace) {
  const std::vector<int> codes[] = {{0xcc}, {0x0f, 0x0b}, {0xf4}, {0xf7, 0xf6}};
  for (const auto& code : codes) {  // int3, ud2, hlt, div esi by zero
    TestImage t(arena_);
    t.function(0, 0);
    t.prologue();
    t.slot(bpf_mov(0, 1)).bytes({0x31, 0xf6});  // xor esi, esi
    const std::uint64_t place = t.here();
    t.bytes(code);
    t.exit().body_end();
    for (const RunOptions& options : {kFastRun, kFullRun}) {
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.stop, StopReason::kInvalidInsn) << r.detail;
      EXPECT_EQ(r.fault_pc, place) << r.detail;
    }
  }
}

TEST_F(MachineX86_64, RefusesAnImageThatLiesOutsideItsArena) {
  TestImage t(arena_);
  straight_return(t);
  t.image.functions[0].size = 1 << 20;
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kEmulatorFailed);
  EXPECT_EQ(r.detail, "a function outside the arena");
}

}  // namespace
}  // namespace plumb::machine
