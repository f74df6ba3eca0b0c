// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/c_frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/unwind/testing_stack.h"
#include "core/unwind/unwinder.h"

namespace plumb::unwind {
namespace {

constexpr Range kCode{.address = 0x10'0000, .size = 0x100};
constexpr std::uint64_t kInCode = kCode.address + 0x20;
constexpr std::uint64_t kCaller = 0x20'0010;
constexpr std::uint64_t kFp = 0x1800;
constexpr std::uint64_t kOuterFp = 0x1900;

// A function with a record, called by somebody whom nobody called.
class CFrames : public testing::TestWithParam<Arch> {
 protected:
  CFrames()
      : jit_rows_(GetParam(), {row_with_record(GetParam(), kCode.address)}),
        c_rows_(GetParam(), rows()) {
    const std::uint64_t record = GetParam() == Arch::kRiscv64 ? kFp - 16 : kFp;
    stack_.words[record] = kOuterFp;
    stack_.words[record + 8] = kCaller;
    const std::uint64_t outer = GetParam() == Arch::kRiscv64 ? kOuterFp - 16 : kOuterFp;
    stack_.words[outer] = kEndOfWalk;
    stack_.words[outer + 8] = kCaller;
  }

  static std::vector<Row> rows() {
    std::vector<Row> rows{{.begin = kCaller - 1, .kind = Row::Kind::kOutermost},
                          {.begin = kCaller + 1, .kind = Row::Kind::kUnknown},
                          row_at_entry(GetParam(), 0x30'0000)};
    rows.push_back({.begin = 0x30'0010, .kind = Row::Kind::kUnknown});
    const auto more = interrupt_rows(GetParam());
    rows.insert(rows.end(), more.begin(), more.end());
    return rows;
  }
  Knowledge knowledge(Mark mark) const {
    static constexpr Range kText[] = {kCode, {.address = 0x20'0000, .size = 0x100}, kInterruptCode};
    return {.arch = GetParam(),
            .jit_code = {&kCode, 1},
            .c_rows = &c_rows_,
            .jit_rows = &jit_rows_,
            .fp_ranges = {},
            .text = kText,
            .last_record = 0,
            .mark = mark};
  }
  [[nodiscard]] std::vector<std::uint64_t> found(Unwinder unwinder, const Cursor& start,
                                                 const StackReader& stack, Mark mark) const {
    std::vector<std::uint64_t> pcs;
    for (const Frame& frame : walk(unwinder, start, stack, knowledge(mark), 20).frames) {
      pcs.push_back(frame.cursor.pc);
    }
    return pcs;
  }

  TestStack stack_;
  Rows jit_rows_;
  Rows c_rows_;
};
INSTANTIATE_TEST_SUITE_P(Archs, CFrames,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         [](const auto& arch) { return std::string(arch_name(arch.param)); });

Cursor body() { return {.pc = kInCode, .sp = 0x1784, .fp = kFp, .lr = 0x77, .is_exact = true}; }

TEST_P(CFrames, RowsLeadFromAHandlerToWhatWasInterrupted) {
  StackBelow below(stack_, GetParam());
  const Cursor handler = below.interrupt(body(), Mark::kNothing);
  const Walk got = walk(Unwinder::kOrcWithJitRows, handler, below, knowledge(Mark::kNothing), 20);
  ASSERT_EQ(got.frames.size(), 3u);
  EXPECT_EQ(got.frames[0].cursor.pc, kEntryReturn);
  Cursor interrupted = body();
  if (GetParam() == Arch::kX86_64) interrupted.lr = 0;
  EXPECT_EQ(got.frames[1].cursor, interrupted);
  EXPECT_EQ(got.frames[2].cursor.pc, kCaller);
  EXPECT_TRUE(got.reached_end && got.reliable);
}

// By its frame pointers alone nobody finds what was interrupted, unless it is marked; whoever looks
// for another mark does not either.
TEST_P(CFrames, WhoeverFollowsFramePointersNeedsTheMark) {
  const Unwinder unwinder =
      GetParam() == Arch::kX86_64 ? Unwinder::kFramePointer : Unwinder::kFrameRecord;
  for (const MarkInfo& mark : mark_table()) {
    if (!mark.is_met_on(GetParam())) continue;
    SCOPED_TRACE(mark.name);
    StackBelow below(stack_, GetParam());
    const Cursor handler = below.interrupt(body(), mark.id);
    const auto pcs = found(unwinder, handler, below, mark.id);
    EXPECT_EQ(std::ranges::count(pcs, kInCode), mark.leads ? 1 : 0);
    EXPECT_EQ(pcs.front(), kEntryReturn);
    if (mark.leads) {
      EXPECT_EQ(pcs[pcs.size() - 2], kCaller);
    }
    const bool is_of_memory = mark.id != Mark::kRecord;
    const auto blind = found(unwinder, handler, below, Mark::kNothing);
    EXPECT_EQ(std::ranges::count(blind, kInCode), is_of_memory ? 0 : 1);
  }
}

// arch_stack_walk_reliable(): what was interrupted may not have set up its frame.
TEST_P(CFrames, BehindAnInterruptFramePointersAreNotReliable) {
  for (const MarkInfo& mark : mark_table()) {
    if (!mark.is_met_on(GetParam()) || !mark.leads) continue;
    StackBelow below(stack_, GetParam());
    const Cursor handler = below.interrupt(body(), mark.id);
    for (const UnwinderInfo& info : unwinder_table()) {
      if (!info.runs_on(GetParam()) || !follows_records(info.id)) continue;
      EXPECT_FALSE(walk(info.id, handler, below, knowledge(mark.id), 20).reliable)
          << mark.name << " " << info.name;
    }
  }
}

TEST_P(CFrames, AHelperWithARecordLeadsToItsCaller) {
  Cursor at_entry = body();
  at_entry.pc = 0x30'0000;
  at_entry.sp = 0x1780;
  at_entry.lr = kInCode;
  stack_.words[0x1780] = kInCode;
  StackBelow below(stack_, GetParam());
  const Cursor helper = below.keep_record(at_entry);
  EXPECT_LT(helper.sp, at_entry.sp);
  const Unwinder unwinder =
      GetParam() == Arch::kX86_64 ? Unwinder::kFramePointer : Unwinder::kFrameRecord;
  const auto pcs = found(unwinder, helper, below, Mark::kNothing);
  ASSERT_GE(pcs.size(), 2u);
  EXPECT_EQ(pcs[0], kInCode);
  EXPECT_EQ(pcs[1], kCaller);
  // Before its prologue the frame pointer is the caller's.
  EXPECT_EQ(found(unwinder, at_entry, stack_, Mark::kNothing).front(), kCaller);
  EXPECT_EQ(found(Unwinder::kOrcWithJitRows, at_entry, stack_, Mark::kNothing).front(), kInCode);
}

TEST_P(CFrames, WhatLiesAboveIsUnchangedAndWhatLiesBelowIsGone) {
  stack_.words[0x1400] = 1;
  stack_.words[0x1788] = 2;
  StackBelow below(stack_, GetParam());
  Cursor at = body();
  at.sp = 0x1780;
  const Cursor handler = below.interrupt(at, Mark::kNothing);
  EXPECT_EQ(below.word(0x1788), 2u);
  EXPECT_EQ(below.word(0x1400), 0u);
  EXPECT_EQ(below.word(kHigh), std::nullopt);
  EXPECT_EQ(below.word(kLow - 8), std::nullopt);
  EXPECT_EQ(below.bytes().size(), at.sp - handler.sp);
}

TEST(InterruptMarks, EachHasANameAndAnArchitecture) {
  std::set<std::string_view> names;
  for (const MarkInfo& info : mark_table()) {
    EXPECT_TRUE(names.insert(info.name).second);
    EXPECT_EQ(&mark_info(info.id), &info);
    EXPECT_TRUE(info.is_met_on(Arch::kX86_64) || info.is_met_on(Arch::kArm64)) << info.name;
  }
}

}  // namespace
}  // namespace plumb::unwind
