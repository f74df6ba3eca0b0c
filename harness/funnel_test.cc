// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/funnel.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/capability.h"
#include "harness/waivers.h"

namespace plumb::harness {
namespace {

Event event(EventKind kind, RefusalReason reason = RefusalReason::kNone) {
  Event result;
  result.kind = kind;
  result.reason = reason;
  return result;
}

TEST(Funnel, CountsEachStageACaseReaches) {
  FunnelCounts counts;
  for (const Stage stage : {Stage::kGenerated, Stage::kDefined, Stage::kApplicable,
                            Stage::kCompiled, Stage::kRan, Stage::kCompared}) {
    count_case(counts, stage, Execution{});
  }
  EXPECT_EQ(counts.generated, 6u);
  EXPECT_EQ(counts.defined, 5u);
  EXPECT_EQ(counts.applicable, 4u);
  EXPECT_EQ(counts.compiled, 3u);
  EXPECT_EQ(counts.ran, 2u);
  EXPECT_EQ(counts.compared, 1u);
}

TEST(Funnel, CountsWhatComparedCasesDid) {
  Execution execution;
  Event call = event(EventKind::kCall);
  call.args[2] = Value::pointer(Space::kStack, 0, -8);
  execution.trace = {call, event(EventKind::kTailCallRefused, RefusalReason::kLimitReached)};
  FunnelCounts counts;
  count_case(counts, Stage::kCompared, execution);
  execution.trace = {event(EventKind::kTailCallTaken), event(EventKind::kHelperCall),
                     event(EventKind::kTailCallRefused, RefusalReason::kEmptySlot)};
  count_case(counts, Stage::kCompared, execution);
  count_case(counts, Stage::kDefined, execution);  // never compared
  EXPECT_EQ(counts.with_subprogram_call, 1u);
  EXPECT_EQ(counts.with_tail_call, 1u);
  EXPECT_EQ(counts.with_call_or_tail_call, 2u);
  EXPECT_EQ(counts.with_tail_call_refused, 1u);
  EXPECT_EQ(counts.with_stack_pointer_argument, 1u);
  EXPECT_EQ(counts.with_helper_call, 1u);
}

TEST(Funnel, AnEmptyStageIsAnErrorUnlessTheJitCannotReachIt) {
  const auto names = [](std::uint64_t capabilities) {
    return zero_stages(FunnelCounts{}, capabilities);
  };
  const auto all = names(~std::uint64_t{0});
  EXPECT_TRUE(std::ranges::count(all, "compared") == 1);
  EXPECT_TRUE(std::ranges::count(all, "with_tail_call") == 1);
  EXPECT_TRUE(std::ranges::count(all, "with_throw") == 0);
  const auto calls = names(capability_bit(Capability::kCallSubprograms));
  EXPECT_TRUE(std::ranges::count(calls, "with_tail_call") == 0);
  EXPECT_TRUE(std::ranges::count(calls, "with_call_or_tail_call") == 1);
  EXPECT_TRUE(std::ranges::count(names(0), "with_call_or_tail_call") == 0);
}

TEST(Funnel, MergesByAdding) {
  Funnel a{.counts = {}, .undefined = {{"x", 1}}};
  a.counts.generated = 2;
  Funnel b{.counts = {}, .undefined = {{"x", 2}, {"y", 1}}};
  b.counts.generated = 3;
  a.merge(b);
  EXPECT_EQ(a.counts.generated, 5u);
  EXPECT_EQ(a.undefined, (std::map<std::string, std::uint64_t>{{"x", 3}, {"y", 1}}));
}

TEST(Waivers, MatchTheSignatureExactlyAndTheNameByGlob) {
  const Signature signature{
      .invariant = "tail-call-bound", .family = "linux", .arch = "x86_64", .role = "main"};
  const struct {
    const char* signature;
    const char* jits;
    bool covers;
  } rows[] = {
      {"tail-call-bound.linux.x86_64.main", "linux-6.1-*", true},
      {"tail-call-bound.linux.x86_64.main", "linux-6.1-x86_64", true},
      {"tail-call-bound.linux.x86_64.main", "*", true},
      {"tail-call-bound.linux.x86_64.main", "linux-6.12-*", false},
      {"tail-call-bound.linux.x86_64.main", "linux-6.1", false},
      {"tail-call-bound.linux.x86_64.*", "*", false},
      {"tail-call-bound.linux.x86_64.subprogram", "*", false},
  };
  for (const auto& row : rows) {
    const Waiver waiver{.signature = row.signature, .jits = row.jits, .reason = "r"};
    EXPECT_EQ(covers(waiver, signature, "linux-6.1-x86_64"), row.covers)
        << row.signature << " " << row.jits;
  }
}

}  // namespace
}  // namespace plumb::harness
