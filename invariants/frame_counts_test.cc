// SPDX-License-Identifier: GPL-2.0-or-later
//
// Frames that keep how many tail calls are left (Contract::count_in_frames).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

constexpr const char* kRow = "tail-call-counter-intact";

BuiltRun counting_run() {
  BuiltRun built = good_run(Arch::kRiscv64);
  keep_count_in_frames(built);
  return built;
}

// What the code of a tail call stores, and what that of a call stores when the callee is back.
StackAccess& counted(BuiltRun& built) { return built.count(0); }
StackAccess& kept(BuiltRun& built) {
  const auto& main = built.image.functions[0];
  return *std::ranges::find_if(built.run.accesses, [&](const StackAccess& access) {
    return access.pc == main.address + main.insn_offsets[2] - 4;
  });
}

void again(BuiltRun& built, const StackAccess& access) {
  const auto at = &access - built.run.accesses.data();
  built.run.accesses.insert(built.run.accesses.begin() + at, StackAccess(access));
}

TEST(FrameCounts, HoldWhereEveryStoreIsWhatIsLeft) {
  const Checked checked = check(counting_run().subject());
  EXPECT_TRUE(checked.violations.empty()) << listing(checked.violations);
  EXPECT_EQ(answer_of(checked, kRow).kind, RowAnswer::Kind::kHeld);
}

TEST(FrameCounts, EachStoreIsTheRightNumberInTheRightWordAtTheRightMoment) {
  struct Row {
    const char* what;
    std::function<void(BuiltRun&)> damage;
    const char *role, *message;
  };
  const Row rows[] = {
      {"what came back is not kept", [](BuiltRun& b) { kept(b).value = kTailCallLimit; }, "main",
       "a call stores 33"},
      {"one too few is kept", [](BuiltRun& b) { --kept(b).value; }, "main", "a call stores 31"},
      {"a tail call takes none away", [](BuiltRun& b) { ++counted(b).value; }, "subprogram",
       "a tail call stores 33"},
      {"what came back is kept in another word", [](BuiltRun& b) { kept(b).address -= 8; }, "main",
       "keeps no count"},
      {"a tail call stores half a word", [](BuiltRun& b) { counted(b).size = 4; }, "subprogram",
       "keeps no count"},
      {"what came back is kept twice", [](BuiltRun& b) { again(b, kept(b)); }, "main",
       "a second time"},
      {"a tail call counts twice", [](BuiltRun& b) { again(b, counted(b)); }, "subprogram",
       "a second time"},
      {"a count is kept before anything came back",
       [](BuiltRun& b) {
         StackAccess& early = kept(b);
         early.event = static_cast<std::int32_t>(b.nth(EventKind::kTailCallTaken));
       },
       "main", "before anything came back"},
      {"a helper writes into the count",
       [](BuiltRun& b) {
         StackAccess helper = kept(b);
         helper.pc = 0;
         const auto at = &kept(b) - b.run.accesses.data();
         b.run.accesses.insert(b.run.accesses.begin() + at + 1, helper);
       },
       "main", "a helper writes into the tail-call count"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    BuiltRun built = counting_run();
    row.damage(built);
    const Checked checked = check(built.subject());
    const auto found =
        std::ranges::find(checked.violations, std::string_view(kRow), &Violation::invariant);
    ASSERT_NE(found, checked.violations.end()) << listing(checked.violations);
    EXPECT_EQ(found->role, row.role) << listing(checked.violations);
    EXPECT_NE(found->message.find(row.message), std::string::npos) << found->message;
  }
}

// Where frames keep no count, the same stores are nobody's.
TEST(FrameCounts, AreNoExcuseWhereTheContractHasNone) {
  BuiltRun built = counting_run();
  built.image.contract.count_in_frames = Tristate::kNo;
  EXPECT_FALSE(check(built.subject()).violations.empty());
}

TEST(FrameCounts, SayNothingWhereTheContractSaysNothing) {
  BuiltRun built = counting_run();
  built.image.contract.count_in_frames = Tristate::kUnknown;
  const Checked checked = check(built.subject());
  EXPECT_TRUE(checked.violations.empty()) << listing(checked.violations);
  for (const char* row : {kRow, "stores-are-accounted-for"}) {
    EXPECT_EQ(answer_of(checked, row).kind, RowAnswer::Kind::kNotApplicable) << row;
    EXPECT_EQ(answer_of(checked, row).reason, NotApplicableReason::kCountInFramesUnknown) << row;
  }
}

}  // namespace
}  // namespace plumb::invariants
