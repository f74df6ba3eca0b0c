// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/funnel.h"

#include <algorithm>
#include <iterator>

#include "core/capability.h"
#include "invariants/invariants.h"

namespace plumb::harness {
namespace {

bool passes_stack_pointer(const Event& event) {
  const bool calls = event.kind == EventKind::kCall || event.kind == EventKind::kCallback;
  return calls && std::ranges::any_of(event.args, [](const Value& value) {
           return value.is_pointer() && value.space == Space::kStack;
         });
}

// Columns of funnel.inc: any of these bits is enough; 0: nothing is needed.
enum ShapeColumn : std::uint32_t {
  kShapeAny = 0,
  kShapeCall = gen::reach_bit(gen::Reach::kCall),
  kShapeTailCall = gen::reach_bit(gen::Reach::kTailCall),
  kShapeCallOrTailCall = kShapeCall | kShapeTailCall,
  kShapeTailCallLimit = gen::reach_bit(gen::Reach::kTailCallLimit),
  kShapeStackPointer = gen::reach_bit(gen::Reach::kStackPointer),
  kShapeHelperCall = gen::reach_bit(gen::Reach::kHelperCall),
  kShapeThrow = gen::reach_bit(gen::Reach::kThrow),
};
enum CapabilityColumn : std::uint64_t {
  kCapabilityAny = 0,
  kCapabilityCallSubprograms = capability_bit(Capability::kCallSubprograms),
  kCapabilityTailCall = capability_bit(Capability::kTailCall),
  kCapabilityCallOrTailCall = kCapabilityCallSubprograms | kCapabilityTailCall,
  kCapabilityThrow = capability_bit(Capability::kThrow),
};

struct StageRow {
  std::string_view name;
  bool required;
  std::uint32_t shape;
  std::uint64_t capability;
  std::uint64_t FunnelCounts::* count;
};
constexpr StageRow kStages[] = {
#define PLUMB_FUNNEL(name, required, shape, capability, sentence) \
  {#name, required, kShape##shape, kCapability##capability, &FunnelCounts::name},
#include "harness/funnel.inc"
};

template <typename Mask>
bool has_any(Mask has, Mask needed) {
  return needed == 0 || (has & needed) != 0;
}

// By how many activations a throw ends.
constexpr std::uint64_t FunnelCounts::* kThrowsBySize[] = {
    &FunnelCounts::throw_ends_1, &FunnelCounts::throw_ends_2, &FunnelCounts::throw_ends_3,
    &FunnelCounts::throw_ends_4, &FunnelCounts::throw_ends_5, &FunnelCounts::throw_ends_6,
    &FunnelCounts::throw_ends_7, &FunnelCounts::throw_ends_8,
};
static_assert(std::size(kThrowsBySize) == kMaxCallDepth);

void count_throws(FunnelCounts& counts, const Execution& execution) {
  counts.with_throw += !execution.throws.empty();
  counts.callback_with_stack += std::ranges::any_of(
      execution.throws, [](int bytes) { return bytes > 0; }, &Throw::callback_stack);
  for (std::size_t i = 0; i < std::size(kThrowsBySize); ++i) {
    const auto ended = static_cast<int>(i) + 1;
    counts.*kThrowsBySize[i] +=
        std::ranges::find(execution.throws, ended, &Throw::ended) != execution.throws.end();
  }
}

void add_reasons(ReasonCounts& sum, const ReasonCounts& more) {
  for (const auto& [reason, count] : more) sum[reason] += count;
}

}  // namespace

void FunnelCounts::merge(const FunnelCounts& other) {
  for (const StageRow& row : kStages) this->*row.count += other.*row.count;
}

void InvariantCounts::merge(const InvariantCounts& other) {
  held += other.held;
  violated += other.violated;
  for (std::size_t i = 0; i < not_applicable.size(); ++i) {
    not_applicable[i] += other.not_applicable[i];
  }
}

void Funnel::merge(const Funnel& other) {
  counts.merge(other.counts);
  add_reasons(undefined, other.undefined);
  add_reasons(not_applicable, other.not_applicable);
  add_reasons(no_opinion, other.no_opinion);
  if (invariants.size() < other.invariants.size()) invariants.resize(other.invariants.size());
  for (std::size_t i = 0; i < other.invariants.size(); ++i) {
    invariants[i].merge(other.invariants[i]);
  }
}

void Funnel::add(const Outcome& outcome, const Execution& execution) {
  count_case(counts, outcome.stage, execution);
  count_opinion(counts, outcome.judgement.opinion);
  count_walks(counts, outcome.judgement);
  for_each_reason(outcome, [this](ReasonCounts Funnel::* reasons, const std::string& reason) {
    ++(this->*reasons)[reason];
  });
  const auto& answers = outcome.judgement.answers;
  if (invariants.size() < answers.size()) invariants.resize(answers.size());
  count_answers(invariants, answers);
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
  count_throws(counts, execution);
}

void count_opinion(FunnelCounts& counts, const SecondOpinion& opinion) {
  using Status = SecondOpinion::Status;
  if (opinion.status == Status::kNotAsked) return;
  ++counts.opinion_asked;
  counts.opinion_given += opinion.status != Status::kNotApplicable;
  counts.opinion_agreed += opinion.status == Status::kAgrees;
}

void count_walks(FunnelCounts& counts, const Judgement& judgement) {
  counts.unwind_interrupts += judgement.interrupts;
  counts.unwind_walks += judgement.walks;
}

void count_answers(std::span<InvariantCounts> counts, std::span<const RowAnswer> answers) {
  const std::size_t rows = std::min(counts.size(), answers.size());
  for (std::size_t i = 0; i < rows; ++i) {
    switch (answers[i].kind) {
      case RowAnswer::Kind::kNotApplicable:
        ++counts[i].not_applicable[static_cast<std::size_t>(answers[i].reason)];
        break;
      case RowAnswer::Kind::kHeld:
        ++counts[i].held;
        break;
      case RowAnswer::Kind::kViolated:
        ++counts[i].violated;
        break;
    }
  }
}

std::vector<std::pair<std::string_view, std::uint64_t>> funnel_rows(const FunnelCounts& counts) {
  std::vector<std::pair<std::string_view, std::uint64_t>> rows;
  for (const StageRow& row : kStages) rows.emplace_back(row.name, counts.*row.count);
  return rows;
}

std::vector<std::string> zero_stages(const FunnelCounts& counts, const Reachable& reachable) {
  std::vector<std::string> zero;
  for (const StageRow& row : kStages) {
    const bool is_reachable =
        has_any(reachable.shapes, row.shape) && has_any(reachable.capabilities, row.capability);
    if (row.required && counts.*row.count == 0 && is_reachable) zero.emplace_back(row.name);
  }
  if (counts.opinion_asked > 0 && counts.opinion_given == 0) zero.emplace_back("opinion_given");
  if (counts.unwind_interrupts > 0 && counts.unwind_walks == 0) zero.emplace_back("unwind_walks");
  return zero;
}

bool can_reach(std::string_view counter, std::uint64_t capabilities) {
  const auto* const row = std::ranges::find(kStages, counter, &StageRow::name);
  return row == std::end(kStages) || has_any(capabilities, row->capability);
}

std::vector<std::string_view> invariants_without_case(const Funnel& funnel) {
  std::vector<std::string_view> names;
  if (funnel.counts.compared == 0) return names;
  const auto table = invariants::invariant_table();
  for (std::size_t i = 0; i < funnel.invariants.size() && i < table.size(); ++i) {
    if (funnel.invariants[i].applied() == 0) names.push_back(table[i].name);
  }
  return names;
}

}  // namespace plumb::harness
