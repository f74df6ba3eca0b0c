// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/mistakes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace plumb::unwind {
namespace {

Row by_sp(std::uint64_t begin, std::int32_t cfa) {
  return {.begin = begin, .base = Row::Base::kStackPointer, .cfa_offset = cfa, .ra_offset = -8};
}
Row by_fp(std::uint64_t begin) {
  return {.begin = begin, .cfa_offset = 16, .fp_offset = -16, .ra_offset = -8};
}

// entry, pushed, body, given up; another function right behind it.
CodeKnowledge known() {
  return {.jit_rows = Rows(Arch::kX86_64, {by_sp(0x10, 8),
                                           by_sp(0x11, 16),
                                           by_fp(0x14),
                                           by_sp(0x20, 8),
                                           {.begin = 0x30, .kind = Row::Kind::kUnknown}}),
          .c_rows = Rows(Arch::kX86_64, interrupt_rows(Arch::kX86_64)),
          .jit_code = {},
          .fp_ranges = {},
          .text = {}};
}

TEST(UnwindMistakes, EachHasANameAndChangesSomething) {
  std::set<std::string_view> names;
  for (const MistakeInfo& info : mistake_table()) {
    EXPECT_TRUE(names.insert(info.name).second);
    EXPECT_EQ(find_mistake(info.name), &info);
    EXPECT_TRUE(info.is_made_on(Arch::kX86_64));
    const CodeKnowledge right = known();
    const CodeKnowledge wrong = mistaken(right, info.id);
    const bool same = std::ranges::equal(wrong.jit_rows.all(), right.jit_rows.all()) &&
                      std::ranges::equal(wrong.c_rows.all(), right.c_rows.all()) &&
                      wrong.step == right.step;
    EXPECT_FALSE(same) << info.name;
  }
  EXPECT_EQ(find_mistake("no-such-mistake"), nullptr);
}

TEST(UnwindMistakes, OfRows) {
  const auto rows = [](Mistake mistake) { return mistaken(known(), mistake).jit_rows; };
  EXPECT_EQ(rows(Mistake::kRowsOneLate).find(0x14)->begin, 0x12u);
  EXPECT_EQ(rows(Mistake::kRowsOneLate).find(0x15)->base, Row::Base::kFramePointer);
  EXPECT_FALSE(rows(Mistake::kRowsUnsure).find(0x15)->is_reliable);
  EXPECT_EQ(*rows(Mistake::kNoEpilogueRow).find(0x20), by_fp(0x14));
  EXPECT_EQ(*rows(Mistake::kNoEpilogueRow).find(0x10), by_sp(0x10, 8));
  EXPECT_EQ(*rows(Mistake::kCfaAfterPush).find(0x11), by_sp(0x11, 8));
}

}  // namespace
}  // namespace plumb::unwind
