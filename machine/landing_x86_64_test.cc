// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is seen of landing pads, thunks and per-CPU data.
#include <gtest/gtest.h>

#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

constexpr std::uint32_t kEndbr64 = 0xfa1e0ff3;
constexpr std::uint32_t kPoison = 0x001f0f66;
constexpr std::uint32_t kNops = 0x90909090;

// Program 0 jumps by the given code to program 1, whose address it has in rcx; both have an endbr64
// at the entry, and the tail call of program 1 lands 8 bytes behind it, on four nops.
class LandingX86_64 : public MachineX86_64 {
 protected:
  void tail_call(TestImage& t, const std::vector<int>& jump) {
    const std::uint64_t target = begin(t);
    t.bytes(jump);
    finish(t, target);
  }
  void tail_call_directly(TestImage& t) {
    const std::uint64_t target = begin(t);
    t.jump(target + 8);
    finish(t, target);
  }
  std::uint64_t begin(TestImage& t) {
    t.image.landing.pad = LandingPad::kEndbr64;
    t.function(0, 0);
    const std::uint64_t target = t.here() + 0x80;
    t.bytes(kPad);
    t.prologue().tail_call_entry();
    t.slot(bpf_call_helper(12));
    t.bytes({0xb9}).bytes(word(target + 8));  // mov ecx, target
    return target;
  }
  void finish(TestImage& t, std::uint64_t target) {
    t.exit().body_end();
    t.align(0x80);
    ASSERT_EQ(t.here(), target);
    t.function(1, 0);
    t.bytes(kPad).prologue().tail_call_entry().bytes({0x90, 0x90, 0x90, 0x90});
    t.slot(bpf_mov(0, 5)).bytes({0xb8, 5, 0, 0, 0});
    t.exit().body_end();
  }
  static std::vector<int> word(std::uint64_t value) {
    return {static_cast<int>(value & 0xff), static_cast<int>(value >> 8 & 0xff),
            static_cast<int>(value >> 16 & 0xff), static_cast<int>(value >> 24 & 0xff)};
  }
  const MachineRun& taken(const TestImage& t) {
    const MachineRun& r = run(t);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), (Kinds{kTailCallTaken, kExit}));
    EXPECT_EQ(r.result, 5u);
    return r;
  }
  // The landing of the tail call: the first one is the entry's.
  static void expect_nops(const MachineRun& r, const TestImage& t) {
    ASSERT_EQ(r.landings.size(), 2u);
    EXPECT_EQ(r.landings[1].pc, t.image.functions[1].address + 8);
    EXPECT_EQ(r.landings[1].word, kNops);
    EXPECT_EQ(r.landings[1].event, 0);
    EXPECT_FALSE(r.landings[1].is_call);
  }

  const std::vector<int> kPad{0xf3, 0x0f, 0x1e, 0xfa};
};

TEST_F(LandingX86_64, TheEntryIsCalledThroughAPointer) {
  TestImage t(arena_);
  tail_call_directly(t);
  const MachineRun& r = taken(t);
  ASSERT_EQ(r.landings.size(), 1u);
  EXPECT_EQ(r.landings[0].pc, t.image.entry);
  EXPECT_EQ(r.landings[0].word, kEndbr64);
  EXPECT_EQ(r.landings[0].event, -1);
  EXPECT_TRUE(r.landings[0].is_call);
}

TEST_F(LandingX86_64, NothingIsNotedWhereNoPadIsDemanded) {
  TestImage t(arena_);
  tail_call(t, {0xff, 0xe1});
  t.image.landing.pad = LandingPad::kNone;
  EXPECT_TRUE(taken(t).landings.empty());
}

TEST_F(LandingX86_64, JumpsThroughRegistersAndMemoryAreIndirect) {
  const std::vector<std::vector<int>> jumps = {
      {0xff, 0xe1},                                         // jmp rcx
      {0x49, 0x89, 0xc8, 0x41, 0xff, 0xe0},                 // mov r8, rcx; jmp r8
      {0x51, 0x58, 0xff, 0xe0},                             // push rcx; pop rax; jmp rax
      {0x51, 0x48, 0x83, 0xc4, 8, 0xff, 0x64, 0x24, 0xf8},  // push, pop; jmp [rsp - 8]
  };
  for (const auto& jump : jumps) {
    TestImage t(arena_);
    tail_call(t, jump);
    expect_nops(taken(t), t);
  }
}

TEST_F(LandingX86_64, AConditionalJumpIsDirect) {
  TestImage t(arena_);
  const std::uint64_t target = begin(t);
  const std::uint64_t at = t.here() + 3;
  t.bytes({0x48, 0x31, 0xc0});                               // xor rax, rax
  t.bytes({0x0f, 0x84}).bytes(word(target + 8 - (at + 6)));  // je target
  finish(t, target);
  EXPECT_EQ(taken(t).landings.size(), 1u);
}

TEST_F(LandingX86_64, TheReturnOfARetpolineLooksForNoPad) {
  TestImage t(arena_);
  tail_call(t, {0xe9, 0xf5, 0x00, 0x00, 0x00});  // jmp thunk: patched below
  const std::uint64_t jump = t.image.entry + 4 + 4 + 5;
  t.align(0x20);
  const std::uint64_t thunk = t.thunk("__x86_indirect_thunk_rcx");
  t.bytes({0xe8, 7, 0, 0, 0});                          // call over
  t.bytes({0xf3, 0x90, 0x0f, 0xae, 0xe8, 0xeb, 0xf9});  // pause; lfence; jmp
  t.bytes({0x48, 0x89, 0x0c, 0x24, 0xc3, 0xcc});        // over: mov [rsp], rcx; ret
  *arena_bytes(jump + 1) = static_cast<std::uint8_t>(thunk - (jump + 5));
  *arena_bytes(jump + 2) = 0;
  EXPECT_EQ(taken(t).landings.size(), 1u);
}

TEST_F(LandingX86_64, AnEntryThunkIsWhatTheKernelCalls) {
  TestImage t(arena_);
  t.image.landing.pad = LandingPad::kEndbr64;
  t.thunk("entry");
  const std::uint64_t main = t.image.entry + 0x80;
  t.bytes(kPad).bytes({0xb9}).bytes(word(main)).bytes({0xff, 0xd1, 0xc3});  // call rcx; ret
  t.align(0x80).function(0, 0);
  t.bytes(kPad);
  t.slot(bpf_exit()).bytes({0xc3}).body_end();
  const MachineRun& r = run(t);
  ASSERT_EQ(kinds(r), Kinds{kExit}) << r.detail;
  ASSERT_EQ(r.landings.size(), 2u);
  for (const std::size_t i : {0, 1}) {
    EXPECT_EQ(r.landings[i].pc, i == 0 ? t.image.entry : main);
    EXPECT_EQ(r.landings[i].word, kEndbr64);
    EXPECT_EQ(r.landings[i].event, -1);
    EXPECT_TRUE(r.landings[i].is_call);
  }
}

TEST_F(LandingX86_64, AJumpThunkLeadsToAPad) {
  TestImage t(arena_);
  tail_call(t, {0xe9, 0, 0, 0, 0});
  const std::uint64_t jump = t.image.entry + 4 + 4 + 5;
  t.align(0x20);
  const std::uint64_t thunk = t.thunk("__x86_indirect_its_thunk_rcx");
  t.bytes({0xff, 0xe1, 0xcc});
  *arena_bytes(jump + 1) = static_cast<std::uint8_t>(thunk - (jump + 5));
  expect_nops(taken(t), t);
}

TEST_F(LandingX86_64, BehindItsSizeIsNoThunk) {
  TestImage t(arena_);
  tail_call(t, {0xe9, 0, 0, 0, 0});
  const std::uint64_t jump = t.image.entry + 4 + 4 + 5;
  t.align(0x20);
  t.thunk("__x86_return_thunk");
  t.bytes({0xc3, 0xcc, 0xcc, 0xcc, 0xff, 0xe1});
  t.image.symbols.back().size = 4;
  *arena_bytes(jump + 1) = static_cast<std::uint8_t>(t.here() - 2 - (jump + 5));
  EXPECT_EQ(run(t).stop, StopReason::kWildJump);
}

// FineIBT: the kernel calls 16 bytes in front of what the function's address is.
TEST_F(LandingX86_64, CallsOfACallbackArriveAtThePreamble) {
  TestImage t(arena_);
  t.image.landing = {.pad = LandingPad::kEndbr64, .call_preamble = 16};
  const std::uint64_t main = t.function(0, 0);
  t.bytes({0x66, 0x0f, 0x1f, 0x00}).prologue();
  const std::uint64_t each = main + 0x80;
  t.slot(bpf_call_helper(181));
  t.bytes({0xbf, 1, 0, 0, 0, 0xbe}).bytes(word(each));  // mov edi, 1; mov esi, each
  t.bytes({0x31, 0xd2, 0x31, 0xc9});                    // xor edx, edx; xor ecx, ecx
  t.call_helper(181);
  t.exit().body_end();
  t.align(0x80);
  ASSERT_EQ(t.function(0, 1), each);
  t.bytes({0x66, 0x0f, 0x1f, 0x00}).prologue();
  t.slot(bpf_mov(0, 0)).bytes({0x31, 0xc0});
  t.exit().body_end();
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  ASSERT_EQ(r.landings.size(), 2u);
  EXPECT_EQ(r.landings[0].pc, main - 16);
  EXPECT_EQ(r.landings[1].pc, each - 16);
  EXPECT_EQ(r.landings[1].word, kNops);
  EXPECT_TRUE(r.landings[1].is_call);
  EXPECT_EQ(r.events[static_cast<std::size_t>(r.landings[1].event)].kind, kCallback);
  t.image.landing.call_preamble = 0;
  EXPECT_EQ(run(t).landings[1].word, kPoison);
}

// A program that tail-calls itself jumps within one function: only the entry will do.
TEST_F(MachineX86_64, ATailCallToItselfThatMissesTheEntryIsSeen) {
  for (const std::uint64_t offset : {0, 4, 8, 12}) {
    TestImage t(arena_);
    const std::uint64_t main = t.function(0, 0);
    t.prologue().tail_call_entry();                                     // + 4
    t.bytes({0x48, 0x83, 0xec, 0x10}).bytes({0x90, 0x90, 0x90, 0x90});  // sub rsp, 16; nops
    t.slot(bpf_mov(0, 1)).bytes({0x90});                                // + 12
    t.slot(bpf_call_helper(12));
    t.bytes({0xc9, 0x55, 0x48, 0x89, 0xe5});        // unwind
    t.bytes({0xc1, 0xe1, 8, 0x85, 0xc9, 0x74, 5});  // shl ecx, 8; test ecx, ecx; je out
    t.jump(main + offset);
    t.exit().body_end();
    const MachineRun& r = run(t);
    if (offset == 4) {
      EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
      EXPECT_GT(r.tail_calls, 0u);
    } else if (offset < 12) {
      EXPECT_EQ(r.stop, StopReason::kWildJump) << offset;
    } else {
      EXPECT_EQ(r.tail_calls, 0u);  // the first instruction of the body: a loop, for all we know
    }
  }
}

TEST_F(MachineX86_64, PerCpuDataIsZeroInEveryRun) {
  TestImage t(arena_);
  around(t, {0x65, 0x48, 0xff, 0x04, 0x25, 0x10, 0, 0, 0,    // inc qword gs:[0x10]
             0x65, 0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0});  // mov rax, gs:[0x10]
  for (int i = 0; i < 3; ++i) {
    const MachineRun& r = run(t);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.result, 1u);
  }
  TestImage beyond(arena_);
  around(beyond, {0x65, 0x48, 0x8b, 0x04, 0x25, 0xf9, 0x0f, 0, 0});  // mov rax, gs:[0xff9]
  EXPECT_EQ(run(beyond).stop, StopReason::kFault);
}

}  // namespace
}  // namespace plumb::machine
