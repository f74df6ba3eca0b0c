// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/invariants.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <string_view>
#include <utility>

#include "invariants/checkers.h"
#include "invariants/view.h"

namespace plumb::invariants {
namespace {

using Checker = Answer (*)(const View&);

constexpr std::array kTable{
#define PLUMB_INVARIANT(function, name, group, needs, speaks, spreads, sentence) \
  InvariantInfo{name, group, sentence, Depth::k##needs, Speaks::k##speaks, Spread::k##spreads},
#include "invariants/invariants.inc"
};

constexpr std::array<Checker, kTable.size()> kCheckers{
#define PLUMB_INVARIANT(function, name, group, needs, speaks, spreads, sentence) check_##function,
#include "invariants/invariants.inc"
};

// Whether "held" can be said of the run as a whole: not at less depth than the row needs, and not
// when the run was stopped.
RowAnswer row_answer(const Answer& answer, const InvariantInfo& info, const View& view,
                     Depth depth) {
  using Kind = RowAnswer::Kind;
  if (std::holds_alternative<Violation>(answer)) return {.kind = Kind::kViolated};
  if (const auto* none = std::get_if<NotApplicable>(&answer)) {
    return {.kind = Kind::kNotApplicable, .reason = none->reason};
  }
  if (info.needs > depth) {
    return {.kind = Kind::kNotApplicable, .reason = NotApplicableReason::kDepth};
  }
  if (view.is_bound_broken()) {
    return {.kind = Kind::kNotApplicable, .reason = NotApplicableReason::kBoundBroken};
  }
  if (view.run().stop != StopReason::kReturned) {
    return {.kind = Kind::kNotApplicable, .reason = NotApplicableReason::kStopped};
  }
  return {.kind = Kind::kHeld};
}

bool explains(const Violation& cause, const Violation& other) {
  const InvariantInfo& info = *find_invariant(cause.invariant);
  switch (info.spreads) {
    case Spread::kRun:
      return true;
    case Spread::kChain:
      return info.group == find_invariant(other.invariant)->group;
    case Spread::kNothing:
      return false;  // one violation a row
  }
  return false;
}

// Sorted by time.
void link_causes(std::vector<Violation>& violations) {
  for (std::size_t i = 1; i < violations.size(); ++i) {
    const auto cause =
        std::find_if(violations.begin(), violations.begin() + static_cast<std::ptrdiff_t>(i),
                     [&](const Violation& earlier) { return explains(earlier, violations[i]); });
    const auto index = cause - violations.begin();
    if (static_cast<std::size_t>(index) < i) {
      violations[i].follows = static_cast<std::int32_t>(index);
    }
  }
}

}  // namespace

std::span<const InvariantInfo> invariant_table() { return kTable; }

const InvariantInfo* find_invariant(std::string_view name) {
  const auto it = std::ranges::find(kTable, name, &InvariantInfo::name);
  return it == kTable.end() ? nullptr : &*it;
}

Checked check(const Subject& subject) {
  // Annotations of an ordinary run fit here; larger ones go on to the heap.
  std::array<std::byte, 16384> buffer;
  std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size());
  const View view(subject, &memory);
  Checked checked;
  checked.answers.reserve(kTable.size());
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    const bool cannot_look = kTable[i].speaks == Speaks::kPath && view.misses_tail_calls();
    Answer answer =
        cannot_look ? not_applicable(NotApplicableReason::kTailCallsUnseen) : kCheckers[i](view);
    checked.answers.push_back(row_answer(answer, kTable[i], view, subject.depth));
    if (auto* violation = std::get_if<Violation>(&answer)) {
      checked.violations.push_back(std::move(*violation));
    }
  }
  if (view.run().knowledge != nullptr) checked.walks = view.walks().judged;
  // At one time, in the order of the table.
  std::ranges::sort(checked.violations, {}, [](const Violation& violation) {
    return std::pair(violation.time(), find_invariant(violation.invariant));
  });
  link_causes(checked.violations);
  return checked;
}

}  // namespace plumb::invariants
