// SPDX-License-Identifier: GPL-2.0-or-later
//
// The machine on hand-assembled code: what a run records, and that every way to go wrong is seen.
#include <gtest/gtest.h>

#include <cstring>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/machine.h"
#include "machine/test_image.h"

namespace plumb::machine {
namespace {

constexpr std::uint64_t kArenaAddress = 0x50000000;
[[maybe_unused]] constexpr int kRax = 0;
[[maybe_unused]] constexpr int kRcx = 1;
constexpr int kRsp = 4;
constexpr int kRbp = 5;
constexpr int kRdi = 7;

constexpr RunOptions kFastRun{.depth = Depth::kFast, .block_budget = 10'000};
[[maybe_unused]] constexpr RunOptions kFullRun{.depth = Depth::kFull, .block_budget = 10'000};

class MachineX86_64 : public testing::Test {
 protected:
  const MachineRun& run(const TestImage& t, const RunOptions& options = kFastRun) {
    return machine_->run(t.value, t.image, options);
  }

  std::vector<EventKind> kinds(const MachineRun& run) const {
    std::vector<EventKind> result;
    for (const MachineEvent& event : run.events) result.push_back(event.kind);
    return result;
  }

  TestArena arena_{kArenaAddress};
  std::unique_ptr<Machine> machine_ = make_machine(Arch::kX86_64);
};

using enum EventKind;
using Kinds = std::vector<EventKind>;

// main: r0 = 7; exit
void straight_return(TestImage& t) {
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 7)).bytes({0xb8, 7, 0, 0, 0});  // mov eax, 7
  t.exit().body_end();
}

// main: call 1; exit    1: r0 = 9; exit
void one_call(TestImage& t) {
  t.function(0, 0);
  t.prologue();
  const std::uint64_t callee = t.here() + 7;
  t.slot(bpf_call_function(1)).call(callee);
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

}  // namespace
}  // namespace plumb::machine
