// SPDX-License-Identifier: GPL-2.0-or-later
//
// Each row of the table is seen to fail on each architecture that it says something about.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "invariants/testing_damage.h"
#include "invariants/testing_hardening.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

const InvariantInfo& info_of(std::string_view name) {
  return *std::ranges::find(invariant_table(), name, &InvariantInfo::name);
}

// No kernel throws on riscv64.
TEST(Everywhere, ARunThatThrowsIsRightInEveryRowAboutThrows) {
  for (const Arch arch : {Arch::kX86_64, Arch::kArm64}) {
    BuiltRun built = throwing_run(arch);
    built.depth = Depth::kFull;
    const Checked checked = check(built.subject());
    EXPECT_EQ(listing(checked.violations), "") << arch_name(arch);
    for (const InvariantInfo& info : invariant_table()) {
      if (info.group != "exceptions") continue;
      EXPECT_EQ(answer_of(checked, info.name).kind, RowAnswer::Kind::kHeld) << info.name;
    }
  }
}

TEST(Everywhere, EachDamageIsNamedByTheInvariantItBreaks) {
  for (const Arch arch : kBuiltArchs) {
    for (const Damage& row : damages()) {
      SCOPED_TRACE(std::string(arch_name(arch)) + ": " + row.invariant);
      if ((std::ranges::find(row.not_on, arch) != row.not_on.end())) continue;
      BuiltRun built = good_run(arch);
      row.apply(built);
      const Checked checked = check(built.subject());
      ASSERT_FALSE(checked.violations.empty());
      EXPECT_EQ(checked.violations[0].invariant, row.invariant) << listing(checked.violations);
      EXPECT_EQ(answer_of(checked, row.invariant).kind, RowAnswer::Kind::kViolated);
    }
  }
}

TEST(Everywhere, EveryRowOfTheTableIsSeenToFail) {
  std::set<std::string_view> seen;
  for (const Damage& row : damages()) seen.insert(row.invariant);
  for (const InvariantInfo& info : invariant_table()) {
    EXPECT_TRUE(seen.contains(info.name)) << info.name;
  }
}

TEST(Everywhere, WhereARowIsLeftOutItIsNotApplicable) {
  for (const Damage& row : damages()) {
    for (const Arch arch : row.not_on) {
      BuiltRun built = good_run(arch);
      built.depth = Depth::kInterrupts;
      EXPECT_EQ(answer_of(check(built.subject()), row.invariant).kind,
                RowAnswer::Kind::kNotApplicable)
          << arch_name(arch) << " " << row.invariant;
    }
  }
}

// A run with everything in it: whatever can be looked at is looked at.
TEST(Everywhere, ARunThatIsRightHoldsInEveryRow) {
  const std::set<std::string_view> no_rule{"indirect-target-has-landing-pad",
                                           "cfi-hash-matches-kind", "return-address-authenticated",
                                           "constants-blinded"};
  for (const Arch arch : kBuiltArchs) {
    BuiltRun built = good_run(arch);
    built.depth = Depth::kInterrupts;
    claim(built);
    const Checked checked = check(built.subject());
    EXPECT_EQ(listing(checked.violations), "");
    EXPECT_GT(checked.walks, 0u);
    BuiltRun hardened = built;
    harden(hardened);
    EXPECT_EQ(listing(check(hardened.subject()).violations), "");
    for (const Damage& row : damages()) {
      const bool leaves_out = (std::ranges::find(row.not_on, arch) != row.not_on.end()) ||
                              no_rule.contains(row.invariant);
      // Only one tail call is taken, and nothing throws.
      const std::string_view group = info_of(row.invariant).group;
      const bool held = !leaves_out && group != "exceptions" &&
                        row.invariant != std::string_view("stack-growth-bounded");
      const RowAnswer answer = answer_of(checked, row.invariant);
      EXPECT_EQ(answer.kind, held ? RowAnswer::Kind::kHeld : RowAnswer::Kind::kNotApplicable)
          << arch_name(arch) << " " << row.invariant << ": " << reason_phrase(answer.reason);
    }
  }
}

}  // namespace
}  // namespace plumb::invariants
