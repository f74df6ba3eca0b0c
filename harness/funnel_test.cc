// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/funnel.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/capability.h"
#include "core/rng.h"
#include "harness/waivers.h"
#include "invariants/invariants.h"
#include "oracle/oracle.h"

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
    return zero_stages(FunnelCounts{}, {.capabilities = capabilities});
  };
  const auto all = names(~std::uint64_t{0});
  EXPECT_EQ(std::ranges::count(all, "compared"), 1);
  EXPECT_EQ(std::ranges::count(all, "with_tail_call"), 1);
  EXPECT_EQ(std::ranges::count(all, "with_throw"), 1);
  const auto calls = names(capability_bit(Capability::kCallSubprograms));
  EXPECT_EQ(std::ranges::count(calls, "with_tail_call"), 0);
  EXPECT_EQ(std::ranges::count(calls, "with_call_or_tail_call"), 1);
  EXPECT_EQ(std::ranges::count(names(0), "with_call_or_tail_call"), 0);
  EXPECT_TRUE(can_reach("with_helper_call", 0));
  EXPECT_FALSE(can_reach("with_throw", 0));
}

TEST(Funnel, InterruptsBehindWhichNoWalkIsJudgedAreAnError) {
  const auto empty = [](std::uint64_t interrupts, std::uint64_t walks) {
    const FunnelCounts counts{.unwind_interrupts = interrupts, .unwind_walks = walks};
    return std::ranges::count(zero_stages(counts, {}), "unwind_walks");
  };
  EXPECT_EQ(empty(0, 0), 0);
  EXPECT_EQ(empty(5, 0), 1);
  EXPECT_EQ(empty(5, 9), 0);
}

TEST(Funnel, AnEmptyStageIsAnErrorUnlessTheShapesCannotReachIt) {
  const auto names = [](std::string_view shape) {
    return zero_stages(FunnelCounts{}, {.capabilities = ~std::uint64_t{0},
                                        .shapes = gen::find_shape(shape)->reaches});
  };
  EXPECT_EQ(names("alu"), (std::vector<std::string>{
                              "generated", "defined", "applicable", "compiled", "ran", "compared",
                              "with_subprogram_call", "with_call_or_tail_call"}));
  EXPECT_EQ(std::ranges::count(names("tail-chain"), "with_tail_call"), 1);
  EXPECT_EQ(std::ranges::count(names("mixed"), "with_tail_call_refused"), 1);
}

// The column of shapes.inc, against what cases of the shape do.
TEST(Funnel, ShapesReachWhatTheirTableSays) {
  constexpr std::uint64_t kCases = 1'500;
  const std::pair<gen::Reach, std::uint64_t FunnelCounts::*> columns[] = {
      {gen::Reach::kCall, &FunnelCounts::with_subprogram_call},
      {gen::Reach::kTailCall, &FunnelCounts::with_tail_call},
      {gen::Reach::kTailCallLimit, &FunnelCounts::with_tail_call_refused},
      {gen::Reach::kStackPointer, &FunnelCounts::with_stack_pointer_argument},
      {gen::Reach::kHelperCall, &FunnelCounts::with_helper_call},
      {gen::Reach::kThrow, &FunnelCounts::with_throw}};
  for (const gen::Shape& shape : gen::shapes()) {
    FunnelCounts counts;
    for (std::uint64_t i = 0; i < kCases; ++i) {
      const Execution execution = oracle::run(gen::generate(nth_seed(11, i), &shape), Contract{});
      if (execution.defined) count_case(counts, Stage::kCompared, execution);
    }
    for (const auto& [reach, count] : columns) {
      const std::uint64_t percent = 100 * (counts.*count) / kCases;
      if ((shape.reaches & gen::reach_bit(reach)) != 0) {
        EXPECT_GE(percent, 4) << shape.name << " " << gen::reach_bit(reach);
      } else {
        EXPECT_LE(percent, 8) << shape.name << " " << gen::reach_bit(reach);
      }
    }
  }
}

TEST(Funnel, MergesByAdding) {
  Funnel a{.counts = {}, .undefined = {{"x", 1}}, .not_applicable = {{"z", 1}}};
  a.counts.generated = 2;
  Funnel b{.counts = {}, .undefined = {{"x", 2}, {"y", 1}}, .not_applicable = {{"z", 1}}};
  b.counts.generated = 3;
  b.invariants = {{.held = 4, .violated = 1, .not_applicable = {2}}};
  a.merge(b);
  a.merge(b);
  EXPECT_EQ(a.counts.generated, 8u);
  EXPECT_EQ(a.undefined, (ReasonCounts{{"x", 5}, {"y", 2}}));
  EXPECT_EQ(a.not_applicable, (ReasonCounts{{"z", 3}}));
  ASSERT_EQ(a.invariants.size(), 1u);
  EXPECT_EQ(a.invariants[0], (InvariantCounts{.held = 8, .violated = 2, .not_applicable = {4}}));
}

RowAnswer answer(RowAnswer::Kind kind, NotApplicableReason reason = NotApplicableReason::kDepth) {
  return {.kind = kind, .reason = reason};
}

TEST(Funnel, CountsReasonsAndAnswers) {
  using Kind = RowAnswer::Kind;
  Funnel funnel;
  Outcome outcome;
  outcome.judgement.verdict = Verdict::kUndefined;
  outcome.judgement.reason = "no";
  funnel.add(outcome, Execution{});
  outcome.judgement.verdict = Verdict::kNotApplicable;
  outcome.stage = Stage::kDefined;
  funnel.add(outcome, Execution{});
  outcome.judgement = {};
  outcome.judgement.verdict = Verdict::kConforms;
  outcome.judgement.opinion = {.status = SecondOpinion::Status::kNotApplicable, .text = "why"};
  outcome.judgement.answers = {answer(Kind::kHeld),
                               answer(Kind::kNotApplicable, NotApplicableReason::kNoCalls),
                               answer(Kind::kNotApplicable, NotApplicableReason::kDepth)};
  outcome.stage = Stage::kCompared;
  funnel.add(outcome, Execution{});
  outcome.judgement.answers[1] = answer(Kind::kViolated);
  funnel.add(outcome, Execution{});
  EXPECT_EQ(funnel.counts.generated, 4u);
  EXPECT_EQ(funnel.undefined, (ReasonCounts{{"no", 1}}));
  EXPECT_EQ(funnel.not_applicable, (ReasonCounts{{"no", 1}}));
  EXPECT_EQ(funnel.no_opinion, (ReasonCounts{{"why", 2}}));
  ASSERT_EQ(funnel.invariants.size(), 3u);
  EXPECT_EQ(funnel.invariants[0].held, 2u);
  EXPECT_EQ(funnel.invariants[1].violated, 1u);
  const auto no_calls = static_cast<std::size_t>(NotApplicableReason::kNoCalls);
  EXPECT_EQ(funnel.invariants[1].not_applicable[no_calls], 1u);
  EXPECT_EQ(invariants_without_case(funnel), std::vector{invariants::invariant_table()[2].name});
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
