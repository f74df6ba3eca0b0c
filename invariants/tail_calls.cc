// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tail calls taken and refused, against the limit and against the oracle.
#include <fmt/format.h>

#include <algorithm>

#include "invariants/checkers.h"
#include "invariants/divergence.h"

namespace plumb::invariants {
namespace {

// Index of the tail call that is one too many; the machine stops right there.
std::size_t excess_event(const MachineRun& run) {
  int taken = 0;
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    taken += run.events[i].kind == EventKind::kTailCallTaken;
    if (taken > kTailCallLimit) return i;
  }
  return run.events.size();
}

// Did C code call back, on the way from the invocation to this activation?
bool is_below_callback(const View& view, std::int64_t activation) {
  for (; view.frame(activation) != nullptr; activation = view.caller(activation)) {
    if (view.run().activations[static_cast<std::size_t>(activation)].helper_event >= 0) return true;
  }
  return false;
}

// The count is a property of the invocation: who happened to make the first call too many says
// nothing. What tells two causes apart is what the count had to survive: C code that calls back,
// bpf-to-bpf calls, or neither.
std::string_view count_role(const View& view, std::int64_t activation) {
  if (is_below_callback(view, activation)) return "callback";
  const bool called = std::ranges::any_of(view.run().activations,
                                          [](const Activation& a) { return a.caller >= 0; });
  return called ? "subprogram" : "main";
}

bool is_tail_call(EventKind kind) {
  return kind == EventKind::kTailCallTaken || kind == EventKind::kTailCallRefused;
}

template <typename Events>
bool any_tail_call(const Events& events) {
  return std::ranges::any_of(events, [](const auto& event) { return is_tail_call(event.kind); });
}

template <typename Events>
bool any_refused(const Events& events) {
  return std::ranges::any_of(
      events, [](const auto& event) { return event.kind == EventKind::kTailCallRefused; });
}

// At the divergence: does the machine take a tail call where the oracle does not?
bool takes_one_too_many(const View& view) {
  const auto& events = view.run().events;
  const auto index = static_cast<std::size_t>(std::max(view.divergence().index, 0));
  if (view.divergence().what == Divergence::What::kNone || index >= events.size()) {
    return view.run().tail_calls > view.execution().tail_calls;
  }
  return events[index].kind == EventKind::kTailCallTaken;
}

// Both traces together up to their end, or why they are not.
Answer held_unless_diverged(const View& view, bool looked, NotApplicableReason otherwise) {
  if (!looked) return not_applicable(otherwise);
  const bool diverged = view.divergence().what != Divergence::What::kNone;
  return held_if(!diverged, NotApplicableReason::kDiverged);
}

}  // namespace

Answer check_tail_call_bound(const View& view) {
  if (!view.is_bound_broken()) {
    if (view.misses_tail_calls()) return not_applicable(NotApplicableReason::kTailCallsUnseen);
    return held_if(any_tail_call(view.run().events), NotApplicableReason::kNoTailCalls);
  }
  const std::string message =
      fmt::format("more than {} tail calls in one invocation (the oracle takes {})", kTailCallLimit,
                  view.execution().tail_calls);
  const std::size_t event = excess_event(view.run());
  Violation violation =
      event == view.run().events.size()
          ? view.at_end("tail-call-bound", message)
          : view.at_event("tail-call-bound", event, view.run().events[event].activation, message);
  violation.role = count_role(view, violation.activation);
  return violation;
}

// The role says in which direction, too: a count that is lost and one that is kept too long are
// different causes.
Answer check_tail_call_count_matches_oracle(const View& view) {
  const bool diverges = diverges_in(view) == DivergedIn::kTailCallCount;
  const bool miscounts = view.is_completed() &&
                         view.run().tail_calls != view.execution().tail_calls &&
                         view.divergence().what == Divergence::What::kNone;
  if (!diverges && !miscounts) {
    return held_unless_diverged(
        view, any_tail_call(view.run().events) || any_tail_call(view.execution().trace),
        NotApplicableReason::kNoTailCalls);
  }
  Violation violation =
      at_divergence(view, "tail-call-count-matches-oracle",
                    fmt::format("{} tail calls are taken, the oracle takes {}",
                                view.run().tail_calls, view.execution().tail_calls));
  violation.role = fmt::format("{}-{}", count_role(view, violation.activation),
                               takes_one_too_many(view) ? "too-many" : "too-few");
  return violation;
}

Answer check_refused_tail_call_falls_through(const View& view) {
  if (diverges_in(view) != DivergedIn::kRefusal) {
    if (view.misses_refusals()) return not_applicable(NotApplicableReason::kOffsetsUnknown);
    return held_unless_diverged(
        view, any_refused(view.run().events) || any_refused(view.execution().trace),
        NotApplicableReason::kNoRefusedTailCall);
  }
  return at_divergence(view, "refused-tail-call-falls-through", divergence_text(view));
}

}  // namespace plumb::invariants
