// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/survey.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace plumb::unwind {
namespace {

Walk walk_of(std::initializer_list<std::uint64_t> pcs, bool reached_end, bool reliable) {
  Walk walk{.frames = {}, .reached_end = reached_end, .reliable = reliable};
  for (const std::uint64_t pc : pcs) walk.frames.push_back({.cursor = {.pc = pc}});
  return walk;
}

TEST(WalkOutcome, OfEveryKind) {
  const std::vector<std::uint64_t> calls{1, 2, 3};
  EXPECT_EQ(outcome_beside(walk_of({1, 2, 3}, true, true), calls, 0), Outcome::kRight);
  EXPECT_EQ(outcome_beside(walk_of({1, 2, 3}, true, false), calls, 0), Outcome::kNotReliable);
  EXPECT_EQ(outcome_beside(walk_of({1, 2}, false, false), calls, 0), Outcome::kStopped);
  EXPECT_EQ(outcome_beside(walk_of({}, false, false), calls, 0), Outcome::kStopped);
  EXPECT_EQ(outcome_beside(walk_of({2, 3}, true, false), calls, 0), Outcome::kSkipped);
  EXPECT_EQ(outcome_beside(walk_of({2, 3}, true, true), calls, 0), Outcome::kLie);
  EXPECT_EQ(outcome_beside(walk_of({1, 2}, true, false), calls, 0), Outcome::kLost);
  EXPECT_EQ(outcome_beside(walk_of({1, 2}, true, true), calls, 0), Outcome::kLie);
  EXPECT_EQ(outcome_beside(walk_of({1, 9, 3}, true, false), calls, 0), Outcome::kLost);
  EXPECT_EQ(outcome_beside(walk_of({1, 2, 3, 4}, false, false), calls, 0), Outcome::kLost);
}

// The frames of an interrupt, and what it interrupted, at 8 and 9; then the callers.
TEST(WalkOutcome, BehindAnInterrupt) {
  const std::vector<std::uint64_t> expected{8, 9, 1, 2};
  const auto outcome = [&](std::initializer_list<std::uint64_t> pcs, bool reliable = false) {
    return outcome_beside(walk_of(pcs, true, reliable), expected, 2);
  };
  EXPECT_EQ(outcome({8, 9, 1, 2}, true), Outcome::kRight);
  EXPECT_EQ(outcome({8, 9, 1, 2}), Outcome::kNotReliable);
  EXPECT_EQ(outcome({8, 9, 2}), Outcome::kSkipped);  // the caller of what was interrupted
  EXPECT_EQ(outcome({8, 1, 2}), Outcome::kSkipped);  // what was interrupted
  EXPECT_EQ(outcome({8, 2}), Outcome::kSkipped);     // both
  EXPECT_EQ(outcome({8, 2}, true), Outcome::kLie);
  EXPECT_EQ(outcome({9, 1, 2}), Outcome::kLost);  // the entry code
  EXPECT_EQ(outcome({8, 9, 1}), Outcome::kLost);
  EXPECT_EQ(outcome({8, 9}), Outcome::kLost);
  EXPECT_EQ(outcome_beside(walk_of({8, 9}, false, false), expected, 2), Outcome::kStopped);
}

TEST(Survey, TablesAreInOrder) {
  for (std::size_t i = 0; i < start_table().size(); ++i) {
    EXPECT_EQ(start_table()[i].id, static_cast<Start>(i));
  }
}

// Rows tell of every interrupt; frame pointers of those that are marked.
TEST(Survey, WhoHasToFindInterrupts) {
  using enum Unwinder;
  EXPECT_TRUE(finds_interrupts(kOrc, Mark::kNothing));
  EXPECT_TRUE(finds_interrupts(kOrcWithJitRows, Mark::kNothing));
  EXPECT_FALSE(finds_interrupts(kFramePointer, Mark::kNothing));
  EXPECT_TRUE(finds_interrupts(kFramePointer, Mark::kFakeFrame));
  EXPECT_TRUE(finds_interrupts(kFramePointer, Mark::kEncoded));
  EXPECT_TRUE(finds_interrupts(kFrameRecord, Mark::kRecord));
  EXPECT_FALSE(finds_interrupts(kBackwardsEdge, Mark::kEncoded));
}

// A function with a record is called, calls a helper, and is interrupted in both.
TEST(Survey, StartsInTheProgramInHelpersAndBehindInterrupts) {
  constexpr std::uint64_t kFunction = 0x10'0000;
  constexpr std::uint64_t kStub = 0x20'0000;
  constexpr std::uint64_t kExit = 0x30'0000;
  Image image;
  image.arch = Arch::kX86_64;
  image.placement.stack = {.address = 0x1000, .size = 0x1000};
  image.placement.exit = kExit;
  image.placement.stubs = {.address = kStub, .size = 0x100};
  NativeFunction& native = image.functions.emplace_back();
  native.address = kFunction;
  native.size = 0x100;
  MachineRun run;
  run.entry_sp = 0x1808;
  run.shadow = {{.return_address = kExit, .sp = 0x1808},
                {.return_address = kFunction + 0x20, .sp = 0x17f8, .parent = 0, .event = 0}};
  run.events.emplace_back().kind = EventKind::kHelperCall;
  run.accesses = {
      {.address = 0x1800, .value = kEndOfWalk, .size = 8, .is_push = true, .step = 0},
      {.address = 0x17f8, .value = kFunction + 0x20, .size = 8, .is_push = true, .step = 1}};
  run.steps = {{.pc = kFunction, .sp = 0x1808, .fp = kEndOfWalk, .shadow = 0},
               {.pc = kFunction + 0x1b, .sp = 0x1800, .fp = 0x1800, .shadow = 0},
               {.pc = kStub, .sp = 0x17f8, .fp = 0x1800, .shadow = 1}};
  std::vector<Row> c_rows{row_at_entry(image.arch, kStub),
                          {.begin = kStub + 0x100, .kind = Row::Kind::kUnknown},
                          {.begin = kExit - 1, .kind = Row::Kind::kOutermost},
                          {.begin = kExit + 1, .kind = Row::Kind::kUnknown}};
  const auto more = interrupt_rows(image.arch);
  c_rows.insert(c_rows.end(), more.begin(), more.end());
  const Range function{.address = kFunction, .size = 0x100};
  const CodeKnowledge known{
      .jit_rows = Rows(image.arch, {row_at_entry(image.arch, kFunction),
                                    row_with_record(image.arch, kFunction + 4)}),
      .c_rows = Rows(image.arch, c_rows),
      .jit_code = {function},
      .fp_ranges = {},
      .text = {function, image.placement.stubs, {.address = kExit - 1, .size = 2}, kInterruptCode}};

  std::vector<SurveyedWalk> seen;
  const auto note = [&seen](const SurveyedWalk& walk) { seen.push_back(walk); };
  survey(image, run, known,
         {.unwinders = {Unwinder::kOrcWithJitRows}, .call_frames = nullptr, .starts_in_c = true},
         note);
  std::vector<std::size_t> starts(kStartCount);
  for (const SurveyedWalk& walk : seen) {
    ++starts[static_cast<std::size_t>(walk.start)];
    EXPECT_EQ(walk.outcome, Outcome::kRight) << start_info(walk.start).name << " " << walk.step
                                             << " " << outcome_info(walk.outcome).name;
    EXPECT_TRUE(walk.finds_interrupted);
  }
  EXPECT_EQ(starts, (std::vector<std::size_t>{2, 1, 1, 3}));

  // The frame pointer before the prologue is of whoever called: here nobody's.
  seen.clear();
  survey(image, run, known,
         {.unwinders = {Unwinder::kFramePointer}, .call_frames = nullptr, .starts_in_c = true},
         note);
  for (const SurveyedWalk& walk : seen) {
    const bool is_blind = walk.start == Start::kInterrupt && walk.mark == Mark::kNothing;
    EXPECT_EQ(walk.finds_interrupted, !is_blind);
    if (is_blind) {
      EXPECT_EQ(walk.outcome, Outcome::kLie);
    } else if (walk.start == Start::kHelper) {
      EXPECT_EQ(walk.outcome, Outcome::kRight);
    } else if (walk.step == 1) {
      EXPECT_EQ(walk.outcome, Outcome::kNotReliable);
    } else {
      EXPECT_EQ(walk.outcome, Outcome::kSkipped);
    }
  }
  seen.clear();
  survey(image, run, known,
         {.unwinders = {Unwinder::kOrc}, .call_frames = nullptr, .starts_in_c = false}, note);
  EXPECT_EQ(seen.size(), 2u);
}

}  // namespace
}  // namespace plumb::unwind
