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

// The count is a property of the invocation: who happened to make the first call too many says
// nothing. What tells two causes apart is whether the count had to survive bpf-to-bpf calls.
std::optional<Violation> with_count_role(const View& view, std::optional<Violation> violation) {
  if (!violation) return violation;
  const bool called = std::ranges::any_of(view.run().activations,
                                          [](const Activation& a) { return a.caller >= 0; });
  violation->role = called ? "subprogram" : "main";
  return violation;
}

}  // namespace

std::optional<Violation> check_tail_call_bound(const View& view) {
  if (!view.is_bound_broken()) return std::nullopt;
  const std::string message =
      fmt::format("more than {} tail calls in one invocation (the oracle takes {})", kTailCallLimit,
                  view.execution().tail_calls);
  const std::size_t event = excess_event(view.run());
  if (event == view.run().events.size()) {
    return with_count_role(view, view.at_end("tail-call-bound", message));
  }
  const std::uint32_t activation = view.run().events[event].activation;
  return with_count_role(view, view.at_event("tail-call-bound", event, activation, message));
}

std::optional<Violation> check_tail_call_count_matches_oracle(const View& view) {
  const bool diverges = diverges_in(view) == DivergedIn::kTailCallCount;
  const bool miscounts = view.is_completed() &&
                         view.run().tail_calls != view.execution().tail_calls &&
                         view.divergence().what == Divergence::What::kNone;
  if (!diverges && !miscounts) return std::nullopt;
  return with_count_role(
      view, at_divergence(view, "tail-call-count-matches-oracle",
                          fmt::format("{} tail calls are taken, the oracle takes {}",
                                      view.run().tail_calls, view.execution().tail_calls)));
}

std::optional<Violation> check_refused_tail_call_falls_through(const View& view) {
  if (diverges_in(view) != DivergedIn::kRefusal) return std::nullopt;
  return at_divergence(view, "refused-tail-call-falls-through", divergence_text(view));
}

}  // namespace plumb::invariants
