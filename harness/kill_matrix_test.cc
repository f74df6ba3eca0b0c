// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/kill_matrix.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/corpus.h"
#include "harness/judge.h"
#include "harness/waivers.h"
#include "invariants/invariants.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using namespace std::string_view_literals;
using jit::reference::defect_table;
using jit::reference::DefectInfo;
using jit::reference::LayoutRow;

constexpr std::size_t kLeastDefects = 45;
constexpr std::uint64_t kMostCases = 6000;
constexpr std::uint64_t kCleanCases = 120;

// Of hardened code no layout speaks: variants of the Linux JITs do (seeded_defects.cc).
bool is_of_hardened_code(const invariants::InvariantInfo& info) {
  constexpr std::array kRows{"cfi-hash-matches-kind"sv, "return-address-authenticated"sv,
                             "constants-blinded"sv};
  return std::ranges::find(kRows, info.name) != kRows.end();
}

std::vector<DefectInfo> all_defects() {
  std::vector<DefectInfo> all(defect_table().begin(), defect_table().end());
  all.insert(all.end(), unwinder_defects().begin(), unwinder_defects().end());
  return all;
}

TEST(KillMatrix, EveryDefectIsCaughtByAnExpectedInvariant) {
  const auto waivers = read_waivers("corpus/known");
  ASSERT_TRUE(waivers.has_value());
  const auto rows =
      kill_matrix({.seed = 1, .runs = kMostCases, .at_least = 1, .waivers = *waivers});
  ASSERT_TRUE(rows.has_value()) << rows.error().str();
  std::set<std::string> leaders;
  std::set<std::string_view> defects;
  for (const KillRow& row : *rows) {
    EXPECT_NE(row.needed, 0U) << row.defect->name << " in " << row.layout << " escapes";
    EXPECT_GT(row.ran, 0U) << row.defect->name;
    leaders.insert(row.caught_by);
    defects.insert(row.defect->name);
  }
  // Every row of the table names a finding: none of them only ever stands behind another.
  for (const auto& invariant : invariants::invariant_table()) {
    EXPECT_NE(leaders.contains(std::string(invariant.name)), is_of_hardened_code(invariant))
        << invariant.name << " leads nowhere";
  }
  EXPECT_GE(defects.size(), kLeastDefects);
  EXPECT_EQ(defects.size(), defect_table().size() + unwinder_defects().size())
      << "a defect fits no layout";
}

// A row of the invariant table that no defect expects could fail without anybody noticing.
TEST(KillMatrix, EveryInvariantIsExpectedSomewhere) {
  for (const auto& invariant : invariants::invariant_table()) {
    bool expected = false;
    for (const DefectInfo& defect : all_defects()) {
      expected = expected || is_expected(defect, invariant.name);
    }
    EXPECT_NE(expected, is_of_hardened_code(invariant)) << invariant.name;
  }
}

TEST(KillMatrix, ExpectsOnlyInvariantsThatExist) {
  std::set<std::string, std::less<>> names;
  for (const auto& invariant : invariants::invariant_table()) names.emplace(invariant.name);
  for (const DefectInfo& defect : all_defects()) {
    std::size_t known = 0;
    for (const std::string& name : names) known += is_expected(defect, name);
    const auto words = static_cast<std::size_t>(std::ranges::count(defect.expected, ' ')) + 1;
    EXPECT_EQ(known, words) << defect.name << " expects an invariant that does not exist";
    EXPECT_FALSE(defect.reenacts.empty()) << defect.name;
  }
}

TEST(KillMatrix, LayoutsWithoutADefectHaveNoFindingThatIsNotKnown) {
  const auto waivers = read_waivers("corpus/known");
  ASSERT_TRUE(waivers.has_value());
  Judge judge;
  for (const LayoutRow& row : jit::reference::layout_table()) {
    const auto jit = jit::reference::open(fmt::format("reference:{}", row.name));
    ASSERT_TRUE(jit.has_value());
    std::uint64_t compared = 0;
    for (std::uint64_t n = 0; n < kCleanCases; ++n) {
      const Case value = gen::generate(nth_seed(2, n));
      const Depth depth = n % 8 == 0 ? Depth::kInterrupts : Depth::kFast;
      const Outcome outcome = judge.judge(value, **jit, depth);
      compared += outcome.stage == Stage::kCompared;
      if (!is_finding(outcome.judgement)) continue;
      EXPECT_FALSE(row.traits.known_wrong.empty()) << row.name << ", case " << n;
      EXPECT_NE(find_waiver(*waivers, outcome.judgement.signature, (*jit)->info().name), nullptr)
          << row.name << ", case " << n << ": " << outcome.judgement.signature.str();
    }
    EXPECT_GT(compared, 0U) << row.name;
  }
}

TEST(KillMatrix, ADefectHasToFitItsLayout) {
  EXPECT_FALSE(jit::reference::open("reference:x86_64-5.2+no-pad-at-entry").has_value());
  EXPECT_FALSE(jit::reference::open("reference:x86_64-5.2+no-such-defect").has_value());
  EXPECT_FALSE(jit::reference::open("reference:no-such-layout").has_value());
}

}  // namespace
}  // namespace plumb::harness
