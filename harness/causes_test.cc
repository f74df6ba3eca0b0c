// SPDX-License-Identifier: GPL-2.0-or-later
//
// A waiver covers one cause: what hides behind a known bug, and what does not.
#include "harness/causes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/corpus.h"
#include "harness/judge.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

jit::JitInfo info_of(std::string name) {
  jit::JitInfo info;
  info.name = std::move(name);
  info.family = "linux";
  info.arch = Arch::kX86_64;
  return info;
}

Violation violation(std::string_view invariant, std::int32_t event, std::int32_t follows = -1) {
  Violation v;
  v.invariant = invariant;
  v.role = "main";
  v.event = event;
  v.follows = follows;
  return v;
}

struct Row {
  const char* name;
  std::vector<Violation> violations;  // by time
  bool confirmed;                     // what the JIT that has the bug alone shows
  const char* signature;
  bool known;
};

// The waiver in all rows covers fp-chain-walkable in main functions.
TEST(Causes, AWaiverCoversWhatFollowsFromItsBugAndNothingElse) {
  const std::vector<NamedWaiver> waivers{
      {.name = "known-chain",
       .waiver = {.signature = "fp-chain-walkable.linux.x86_64.main",
                  .jits = "linux-*",
                  .like = "",
                  .reason = "why"}}};
  const Row rows[] = {
      {"alone",
       {violation("fp-chain-walkable", 1)},
       true,
       "fp-chain-walkable.linux.x86_64.main",
       true},
      {"with what follows",
       {violation("fp-chain-walkable", 1), violation("fp-chain-matches-calls", 2, 0)},
       true,
       "fp-chain-walkable.linux.x86_64.main",
       true},
      {"another bug behind it",
       {violation("fp-chain-walkable", 1), violation("callee-saved-preserved", 2)},
       true,
       "callee-saved-preserved.linux.x86_64.main",
       false},
      {"another bug before it",
       {violation("callee-saved-preserved", 0), violation("fp-chain-walkable", 1, 0)},
       true,
       "callee-saved-preserved.linux.x86_64.main",
       false},
      {"the same signature, another cause",
       {violation("fp-chain-walkable", 1), violation("fp-chain-matches-calls", 2, 0)},
       false,
       "fp-chain-walkable.linux.x86_64.main-not-as-known",
       false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Judgement judgement;
    judgement.verdict = Verdict::kViolation;
    judgement.violations = row.violations;
    name_cause(
        info_of("linux-6.1-x86_64"), waivers,
        [&](const Waiver&, const Violation&) { return row.confirmed; }, judgement);
    EXPECT_EQ(judgement.signature.str(), row.signature);
    EXPECT_EQ(judgement.known, row.known ? "known-chain" : "");
    EXPECT_EQ(violation_signature(info_of("linux-6.1-x86_64"), judgement.violations[0]),
              judgement.signature);
    EXPECT_EQ(judgement.violations.size(), row.violations.size());
  }
}

TEST(Causes, LinksStayRightWhenTheCauseMovesToTheFront) {
  Judgement judgement;
  judgement.violations = {violation("fp-chain-walkable", 0), violation("r10-stable", 1),
                          violation("same-result", 2, 1),
                          violation("fp-chain-matches-calls", 3, 0)};
  const std::vector<NamedWaiver> waivers{
      {.name = "w",
       .waiver = {.signature = "fp-chain-walkable.linux.x86_64.main",
                  .jits = "*",
                  .like = "",
                  .reason = "why"}}};
  name_cause(
      info_of("linux-6.1-x86_64"), waivers, [](const Waiver&, const Violation&) { return true; },
      judgement);
  EXPECT_EQ(judgement.violations[0].invariant, "r10-stable");
  EXPECT_EQ(judgement.violations[1].invariant, "fp-chain-walkable");
  EXPECT_EQ(judgement.violations[2].follows, 0);
  EXPECT_EQ(judgement.violations[3].follows, 1);
}

TEST(Causes, KnowWhichJitHasTheBugAlone) {
  const Waiver like{.signature = "s", .jits = "*", .like = "reference:x86_64-6.7", .reason = "why"};
  const Waiver plain{.signature = "s", .jits = "*", .like = "", .reason = "why"};
  EXPECT_EQ(alone_with_bug(plain, "linux-6.1-x86_64"), "");
  EXPECT_EQ(alone_with_bug(like, "linux-6.1-x86_64"), "reference:x86_64-6.7");
  EXPECT_EQ(alone_with_bug(like, "reference:x86_64-6.7"), "");
  EXPECT_EQ(alone_with_bug(like, "reference:x86_64-5.10+no-reload"), "reference:x86_64-5.10");
  EXPECT_EQ(alone_with_bug(plain, "reference:x86_64-5.10"), "");
}

struct Masked {
  const char* jit;
  int cases;
};

// Layouts with a waived bug, and defects that all waivers once hid.
TEST(Causes, DefectsInLayoutsWithAKnownBugAreFound) {
  const auto waivers = read_waivers("corpus/known");
  ASSERT_TRUE(waivers.has_value());
  for (const Masked& row : {Masked{"reference:x86_64-6.7+no-reload", 3000},
                            Masked{"reference:x86_64-6.7+bypass-left-over", 3000},
                            Masked{"reference:arm64-5.19+main-leaves-count", 3000},
                            Masked{"reference:x86_64-double-frame+register-not-restored", 600}}) {
    SCOPED_TRACE(row.jit);
    const auto jit = jit::reference::open(row.jit);
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    Judge judge;
    judge.know(*waivers);
    bool found = false;
    for (int n = 0; n < row.cases && !found; ++n) {
      const Case value = gen::generate(nth_seed(1, static_cast<std::uint64_t>(n)));
      const Judgement judgement = judge.judge(value, **jit, Depth::kFast).judgement;
      found = is_finding(judgement) && judgement.known.empty();
    }
    EXPECT_TRUE(found);
  }
}

}  // namespace
}  // namespace plumb::harness
