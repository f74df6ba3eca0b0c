// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/replay.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace plumb::unwind {
namespace {

constexpr Range kStack{.address = 0x1000, .size = 0x1000};
constexpr std::uint64_t kExit = 0x9000;

StackAccess write(std::int32_t step, std::uint64_t address, std::uint64_t value,
                  std::uint8_t size = 8) {
  return {.address = address, .value = value, .size = size, .step = step};
}

TEST(StackReplay, ShowsTheStackBeforeAStep) {
  MachineRun run;
  run.entry_sp = 0x1f00;
  run.accesses = {
      write(0, 0x1ef8, 11),
      write(1, 0x1ef8, 0x22, 1),
      {.address = 0x1ef8, .value = 33, .size = 8, .kind = AccessKind::kRead, .step = 1}};
  StackReplay stack(run, kStack, Arch::kX86_64, kExit);
  EXPECT_EQ(stack.word(0x1f00), kExit);
  EXPECT_EQ(stack.word(0x1ef8), 0u);
  stack.advance_to(1);
  EXPECT_EQ(stack.word(0x1ef8), 11u);
  stack.advance_to(2);
  EXPECT_EQ(stack.word(0x1ef8), 0x22u);
}

TEST(StackReplay, StoresOfHelpersAndOfTheProgramFollowOneAnother) {
  MachineRun run;
  run.accesses = {write(0, 0x1100, 1), write(4, 0x1100, 5)};
  run.helper_stores = {{.address = 0x1100, .value = 3, .size = 8, .step = 2},
                       {.address = 0x1100, .value = 7, .size = 8, .step = 6}};
  StackReplay stack(run, kStack, Arch::kArm64, kExit);
  for (const auto& [step, value] : {std::pair{1u, 1u}, {3u, 3u}, {5u, 5u}, {7u, 7u}}) {
    stack.advance_to(step);
    EXPECT_EQ(stack.word(0x1100), value) << step;
  }
  StackReplay at_once(run, kStack, Arch::kArm64, kExit);
  at_once.advance_to(7);
  EXPECT_EQ(at_once.word(0x1100), 7u);
}

TEST(StackReplay, HasNothingOutsideTheStack) {
  MachineRun run;
  run.accesses = {write(0, 0x0ffc, 1), write(0, 0x2000, 1)};
  StackReplay stack(run, kStack, Arch::kArm64, kExit);
  stack.advance_to(1);
  EXPECT_EQ(stack.word(0x0fff), std::nullopt);
  EXPECT_EQ(stack.word(0x1ff9), std::nullopt);
  EXPECT_EQ(stack.word(0x1000), 0u);
}

TEST(CallsInProgress, LeadOutwardsWithoutThoseThatKeepNoRecord) {
  MachineRun run;
  run.shadow = {{.return_address = 1, .parent = -1},
                {.return_address = 2, .parent = 0, .keeps_record = false},
                {.return_address = 3, .parent = 1}};
  std::vector<std::uint64_t> calls;
  calls_in_progress(run, 2, calls);
  EXPECT_EQ(calls, (std::vector<std::uint64_t>{3, 1}));
}

TEST(WalkOutcome, TheTableIsInOrder) {
  for (std::size_t i = 0; i < outcome_table().size(); ++i) {
    EXPECT_EQ(outcome_table()[i].id, static_cast<Outcome>(i));
  }
}

}  // namespace
}  // namespace plumb::unwind
