// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/funnel.h"

#include <algorithm>

#include "core/capability.h"

namespace plumb::harness {
namespace {

bool passes_stack_pointer(const Event& event) {
  const bool calls = event.kind == EventKind::kCall || event.kind == EventKind::kCallback;
  return calls && std::ranges::any_of(event.args, [](const Value& value) {
           return value.is_pointer() && value.space == Space::kStack;
         });
}

// What the JIT must be able to do for the counter to move; 0: nothing special.
std::uint64_t needed_for(std::string_view counter) {
  if (counter == "with_subprogram_call" || counter == "with_stack_pointer_argument") {
    return capability_bit(Capability::kCallSubprograms);
  }
  if (counter == "with_tail_call" || counter == "with_tail_call_refused") {
    return capability_bit(Capability::kTailCall);
  }
  return 0;
}

bool can_reach(std::string_view counter, std::uint64_t capabilities) {
  if (counter == "with_call_or_tail_call") {
    return can_reach("with_subprogram_call", capabilities) ||
           can_reach("with_tail_call", capabilities);
  }
  const std::uint64_t needed = needed_for(counter);
  return (needed & ~capabilities) == 0;
}

}  // namespace

void FunnelCounts::merge(const FunnelCounts& other) {
#define PLUMB_FUNNEL(name, required, sentence) name += other.name;
#include "harness/funnel.inc"
}

void Funnel::merge(const Funnel& other) {
  counts.merge(other.counts);
  for (const auto& [reason, count] : other.undefined) undefined[reason] += count;
  for (const auto& [reason, count] : other.no_opinion) no_opinion[reason] += count;
}

void count_case(FunnelCounts& counts, Stage stage, const Execution& execution) {
  ++counts.generated;
  counts.defined += stage >= Stage::kDefined;
  counts.applicable += stage >= Stage::kApplicable;
  counts.compiled += stage >= Stage::kCompiled;
  counts.ran += stage >= Stage::kRan;
  if (stage < Stage::kCompared) return;
  ++counts.compared;
  bool call = false;
  bool tail_call = false;
  bool refused = false;
  bool stack_pointer = false;
  bool helper = false;
  for (const Event& event : execution.trace) {
    call |= event.kind == EventKind::kCall || event.kind == EventKind::kCallback;
    tail_call |= event.kind == EventKind::kTailCallTaken;
    refused |=
        event.kind == EventKind::kTailCallRefused && event.reason == RefusalReason::kLimitReached;
    helper |= event.kind == EventKind::kHelperCall;
    stack_pointer |= passes_stack_pointer(event);
  }
  counts.with_subprogram_call += call;
  counts.with_tail_call += tail_call;
  counts.with_call_or_tail_call += call || tail_call;
  counts.with_tail_call_refused += refused;
  counts.with_stack_pointer_argument += stack_pointer;
  counts.with_helper_call += helper;
}

void count_opinion(FunnelCounts& counts, const SecondOpinion& opinion) {
  using Status = SecondOpinion::Status;
  if (opinion.status == Status::kNotAsked) return;
  ++counts.opinion_asked;
  counts.opinion_given += opinion.status != Status::kNotApplicable;
  counts.opinion_agreed += opinion.status == Status::kAgrees;
}

std::vector<std::pair<std::string_view, std::uint64_t>> funnel_rows(const FunnelCounts& counts) {
  return {
#define PLUMB_FUNNEL(name, required, sentence) {#name, counts.name},
#include "harness/funnel.inc"
  };
}

std::vector<std::string> zero_stages(const FunnelCounts& counts, std::uint64_t capabilities) {
  std::vector<std::string> zero;
#define PLUMB_FUNNEL(name, required, sentence) \
  if ((required) && counts.name == 0 && can_reach(#name, capabilities)) zero.emplace_back(#name);
#include "harness/funnel.inc"
  if (counts.opinion_asked > 0 && counts.opinion_given == 0) zero.emplace_back("opinion_given");
  return zero;
}

}  // namespace plumb::harness
