// SPDX-License-Identifier: GPL-2.0-or-later
//
// Helpers as native code sees them: results, memory, and what they destroy.
#include <array>
#include <cstring>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

TEST_F(MachineX86_64, GivesAHelpersResultAndScramblesWhatItMayDestroy) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x53});                                  // push rbx
  t.slot(bpf_mov(6, 5)).bytes({0xbb, 5, 0, 0, 0});  // mov ebx, 5
  t.slot(bpf_mov(1, 6)).bytes({0xbf, 6, 0, 0, 0});  // mov edi, 6
  t.slot(bpf_call_helper(7)).call_helper(7);
  t.slot(bpf_call_helper(5)).call_helper(5);
  t.slot(bpf_exit()).bytes({0x5b, 0xc9, 0xc3}).body_end();  // pop rbx; leave; ret
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kHelperCall, kExit}));
  const MachineEvent& first = r.events[0];
  const MachineEvent& second = r.events[1];
  EXPECT_EQ(first.target, 7);
  EXPECT_EQ(first.at, (Place{0, 0, 2}));
  EXPECT_EQ(first.sp, r.entry_sp - 16);
  EXPECT_EQ(first.registers[kRdi], 6u);
  EXPECT_EQ(second.registers[kRax],
            run_helper({.number = 7, .ordinal = 0, .scalars = {}, .read = {}, .write = {}}));
  EXPECT_EQ(r.result,
            run_helper({.number = 5, .ordinal = 1, .scalars = {}, .read = {}, .write = {}}));
  EXPECT_EQ(second.registers[kRbx], 5u);
  EXPECT_EQ(second.sp, first.sp);
  for (const int scrambled : {kRcx, kRdx, kRsi, kRdi, 8, 9, 10, kR11}) {
    const auto value = second.registers[static_cast<std::size_t>(scrambled)];
    EXPECT_NE(value, first.registers[static_cast<std::size_t>(scrambled)]) << scrambled;
    EXPECT_GT(value >> 32, 0u) << scrambled;
  }
}

// The flags and the bytes below the stack pointer do not survive a helper.
TEST_F(MachineX86_64, ScramblesFlagsAndTheStackBelowTheStackPointer) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 0)).bytes({0x48, 0xc7, 0x44, 0x24, 0xc0, 9, 0, 0, 0});  // mov qword [rsp-64], 9
  t.slot(bpf_mov(0, 0)).bytes({0x85, 0xe4});                                // test esp, esp: no CF
  t.slot(bpf_call_helper(7)).call_helper(7);
  t.slot(bpf_mov(0, 0)).bytes({0x48, 0x8b, 0x44, 0x24, 0xc0});  // mov rax, [rsp-64]
  t.slot(bpf_mov(0, 0)).bytes({0x48, 0x83, 0xd0, 0});           // adc rax, 0
  t.exit().body_end();
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  EXPECT_EQ(r.result, 0x5d5d5d5d5d5d5d5du + 1);
}

// get_current_comm(R1 = R10 - 16, R2 = 16), then R0 = the bytes at R10 - 16.
TEST_F(MachineX86_64, LetsAHelperWriteToTheStack) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x83, 0xec, 0x40});                      // sub rsp, 64
  t.slot(bpf_mov(1, 0)).bytes({0x48, 0x8d, 0x7d, 0xf0});  // lea rdi, [rbp - 16]
  t.slot(bpf_mov(2, 16)).bytes({0xbe, 16, 0, 0, 0});      // mov esi, 16
  t.slot(bpf_call_helper(16)).call_helper(16);
  t.slot(bpf_mov(0, 0)).bytes({0x48, 0x8b, 0x45, 0xf0});  // mov rax, [rbp - 16]
  t.exit().body_end();
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  std::array<std::uint8_t, 16> bytes{};
  HelperCall call{.number = 16, .ordinal = 0, .scalars = {0, 16}, .read = {}, .write = bytes};
  EXPECT_EQ(run_helper(call), 0u);
  std::uint64_t expected = 0;
  std::memcpy(&expected, bytes.data(), sizeof expected);
  EXPECT_EQ(r.result, expected);
  const StackAccess& store = r.accesses.back();
  EXPECT_EQ(store.pc, 0u);
  EXPECT_EQ(store.address, r.entry_sp - 8 - 16);
  EXPECT_EQ(store.size, 16);
  EXPECT_FALSE(store.is_push);
}

TEST_F(MachineX86_64, HashesTheBytesThatAHelperReads) {
  TestImage t(arena_);
  t.value.regions = {{"map", {1, 2, 3, 4, 5, 6, 7, 8}}};
  t.place();
  const std::uint64_t region = guest::region_address(0, 8);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(1, 0)).bytes({0x48, 0xbf});  // mov rdi, region
  for (int i = 0; i < 8; ++i) t.bytes({static_cast<int>(region >> (8 * i) & 0xff)});
  t.slot(bpf_mov(2, 4)).bytes({0xbe, 4, 0, 0, 0});        // mov esi, 4
  t.slot(bpf_mov(3, 5)).bytes({0xba, 5, 0, 0, 0});        // mov edx, 5
  t.slot(bpf_mov(4, 6)).bytes({0xb9, 6, 0, 0, 0});        // mov ecx, 6
  t.slot(bpf_mov(5, 7)).bytes({0x41, 0xb8, 7, 0, 0, 0});  // mov r8d, 7
  t.slot(bpf_call_helper(6)).call_helper(6);
  t.exit().body_end();
  const MachineRun& r = run(t);
  EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
  const std::array<std::uint8_t, 4> bytes{1, 2, 3, 4};
  EXPECT_EQ(r.result, run_helper({.number = 6,
                                  .ordinal = 0,
                                  .scalars = {0, 4, 5, 6, 7},
                                  .read = {bytes, {}},
                                  .write = {}}));
}

TEST_F(MachineX86_64, StopsAtABadHelperArgument) {
  struct Row {
    std::vector<int> size;
    const char* detail;
  };
  const Row rows[] = {
      {{0xbe, 1, 2, 0, 0}, "a helper was given a size out of range: "},  // mov esi, 513
      {{0xbe, 24, 0, 0, 0}, "a helper was given a bad pointer: context +0"},
  };
  for (const Row& row : rows) {
    TestImage t(arena_);
    t.function(0, 0);
    t.prologue();
    t.slot(bpf_mov(2, 0)).bytes(row.size);
    t.slot(bpf_call_helper(16)).call_helper(16);  // the context has 16 bytes
    t.exit().body_end();
    const MachineRun& r = run(t);
    EXPECT_EQ(r.stop, StopReason::kFault);
    EXPECT_TRUE(r.detail.starts_with(row.detail)) << r.detail;
    EXPECT_EQ(kinds(r), Kinds{kHelperCall});
  }
}

// main: r0 = bpf_loop(count, callback, 77, flags)   callback: r0 = r1 == 2; exit
void loop(TestImage& t, int count, int flags) {
  const auto byte = [](int value, int i) { return value >> (8 * i) & 0xff; };
  t.function(0, 0);
  t.prologue();
  t.bytes({0x53});                                  // push rbx
  t.slot(bpf_mov(6, 1)).bytes({0xbb, 1, 0, 0, 0});  // mov ebx, 1
  t.slot(bpf_mov(1, count))
      .bytes({0xbf, byte(count, 0), byte(count, 1), byte(count, 2), byte(count, 3)});
  const std::uint64_t callback = t.image.entry + 0x40;
  t.slot(bpf_mov(2, 0)).bytes({0xbe, 0x40, 0x00, 0x01, 0x50});  // mov esi, callback
  EXPECT_EQ(callback, 0x50010040u);
  t.slot(bpf_mov(3, 77)).bytes({0xba, 77, 0, 0, 0});        // mov edx, 77
  t.slot(bpf_mov(4, flags)).bytes({0xb9, flags, 0, 0, 0});  // mov ecx, flags
  t.slot(bpf_call_helper(kLoopHelper)).call_helper(kLoopHelper);
  t.slot(bpf_exit()).bytes({0x5b, 0xc9, 0xc3}).body_end();  // pop rbx; leave; ret
  t.align(0x40);
  t.function(0, 1);
  t.prologue();
  t.slot(bpf_mov(0, 0)).bytes({0x31, 0xc0, 0x83, 0xff, 2, 0x0f, 0x94, 0xc0});  // edi == 2
  t.exit().body_end();
}

TEST_F(MachineX86_64, RunsTheLoopHelperAndItsCallbacks) {
  TestImage t(arena_);
  loop(t, 10, 0);
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.result, 3u);
    ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kCallback, kReturn, kCallback, kReturn, kCallback,
                               kReturn, kExit}));
    const MachineEvent& helper = r.events[0];
    for (std::size_t i = 0; i < 3; ++i) {
      const MachineEvent& called = r.events[1 + 2 * i];
      EXPECT_EQ(called.registers[kRdi], i);
      EXPECT_EQ(called.registers[kRsi], 77u);
      EXPECT_EQ(called.activation, 0u);
      EXPECT_EQ(called.at, helper.at);
      EXPECT_EQ(called.target, 1);
      ASSERT_EQ(called.chain_size, 2u);
      EXPECT_EQ(r.frames[called.chain_begin],
                (FrameRecord{helper.sp - 16, r.entry_sp - 8, helper.pc}));
      EXPECT_EQ(r.events[2 + 2 * i].registers[kRax], i == 2);
      EXPECT_EQ(r.events[2 + 2 * i].at, helper.at);
    }
    ASSERT_EQ(r.activations.size(), 4u);
    EXPECT_EQ(r.activations[3].caller, 0);
    EXPECT_EQ(r.activations[0].r10, r.entry_sp - 8);
    for (const StackAccess& access : r.accesses) EXPECT_GE(access.pc, arena_.code());
  }
}

TEST_F(MachineX86_64, LetsTheLoopHelperRefuseFlagsAndTooManyIterations) {
  struct Row {
    int count;
    int flags;
    std::uint64_t result;
  };
  const Row rows[] = {
      {0, 0, 0}, {5, 1, kLoopBadFlags}, {static_cast<int>(kMaxLoopIterations) + 1, 0, kLoopTooBig}};
  for (const Row& row : rows) {
    TestImage t(arena_);
    loop(t, row.count, row.flags);
    const MachineRun& r = run(t);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.result, row.result);
    EXPECT_EQ(kinds(r), (Kinds{kHelperCall, kExit}));
  }
}

}  // namespace
}  // namespace plumb::machine
