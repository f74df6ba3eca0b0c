// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/answer.h"
#include "core/execution.h"
#include "gen/generate.h"
#include "harness/judge.h"

namespace plumb::harness {

// Counters alone: plain memory, so that a worker can count where its parent sees it.
struct FunnelCounts {
#define PLUMB_FUNNEL(name, required, shape, capability, sentence) std::uint64_t name = 0;
#include "harness/funnel.inc"

  bool operator==(const FunnelCounts&) const = default;
  void merge(const FunnelCounts& other);
};

// What one invariant said about the cases of a run; plain memory, too.
struct InvariantCounts {
  std::uint64_t held = 0;
  std::uint64_t violated = 0;
  std::array<std::uint64_t, kNotApplicableReasons> not_applicable{};  // by reason

  bool operator==(const InvariantCounts&) const = default;
  void merge(const InvariantCounts& other);
  [[nodiscard]] std::uint64_t applied() const { return held + violated; }
};

using ReasonCounts = std::map<std::string, std::uint64_t>;  // reason -> cases

// What became of the cases of a run under one JIT.
struct Funnel {
  FunnelCounts counts;
  ReasonCounts undefined;
  ReasonCounts not_applicable{};
  ReasonCounts no_opinion{};                  // a second opinion was asked for, and not given
  std::vector<InvariantCounts> invariants{};  // by row of the invariant table; empty: none counted

  bool operator==(const Funnel&) const = default;
  void merge(const Funnel& other);
  // Counts one case; the execution is the oracle's answer under the JIT's contract.
  void add(const Outcome& outcome, const Execution& execution);
};

// The parts of Funnel::add(). The stage is how far the case came.
void count_case(FunnelCounts& counts, Stage stage, const Execution& execution);
void count_opinion(FunnelCounts& counts, const SecondOpinion& opinion);
void count_walks(FunnelCounts& counts, const Judgement& judgement);
// Both by row of the invariant table; no answers: nothing was compared.
void count_answers(std::span<InvariantCounts> counts, std::span<const RowAnswer> answers);
// Calls what(reasons, reason) for each reason that an outcome adds to undefined, not_applicable and
// no_opinion, which it is given as a pointer to member.
template <typename What>
void for_each_reason(const Outcome& outcome, What what) {
  const Judgement& judgement = outcome.judgement;
  if (judgement.verdict == Verdict::kUndefined) what(&Funnel::undefined, judgement.reason);
  if (judgement.verdict == Verdict::kNotApplicable) {
    what(&Funnel::not_applicable, judgement.reason);
  }
  if (judgement.opinion.status == SecondOpinion::Status::kNotApplicable) {
    what(&Funnel::no_opinion, judgement.opinion.text);
  }
}

// (name, count) in the order of funnel.inc.
[[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> funnel_rows(
    const FunnelCounts& counts);

// What a run can reach at all.
struct Reachable {
  std::uint64_t capabilities = 0;           // of the JIT: or of core/capability.h
  std::uint32_t shapes = gen::kReachesAll;  // or of gen::Reach over the shapes of the run
};

// Required stages at zero: the run has not tested what it claims to. What it cannot reach is not
// asked for.
[[nodiscard]] std::vector<std::string> zero_stages(const FunnelCounts& counts,
                                                   const Reachable& reachable);

// Can the counter of that name move at all on a JIT with these capabilities?
[[nodiscard]] bool can_reach(std::string_view counter, std::uint64_t capabilities);

// Names of the invariants that applied to no case of the run, though cases were compared.
[[nodiscard]] std::vector<std::string_view> invariants_without_case(const Funnel& funnel);

}  // namespace plumb::harness
