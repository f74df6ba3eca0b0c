// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/execution.h"
#include "harness/judge.h"

namespace plumb::harness {

// Counters alone: plain memory, so that a worker can count where its parent sees it.
struct FunnelCounts {
#define PLUMB_FUNNEL(name, required, sentence) std::uint64_t name = 0;
#include "harness/funnel.inc"

  bool operator==(const FunnelCounts&) const = default;
  void merge(const FunnelCounts& other);
};

// What became of the cases of a run under one JIT.
struct Funnel {
  FunnelCounts counts;
  std::map<std::string, std::uint64_t> undefined;     // reason -> cases
  std::map<std::string, std::uint64_t> no_opinion{};  // asked, not given: reason -> cases

  bool operator==(const Funnel&) const = default;
  void merge(const Funnel& other);
};

// Counts one case that came as far as the stage.
void count_case(FunnelCounts& counts, Stage stage, const Execution& execution);

// Counts what became of asking for a second opinion about one case.
void count_opinion(FunnelCounts& counts, const SecondOpinion& opinion);

// (name, count) in the order of funnel.inc.
[[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> funnel_rows(
    const FunnelCounts& counts);

// Required stages at zero: the run has not tested what it claims to. capabilities are the JIT's (or
// of core/capability.h): what it cannot do is not asked for.
[[nodiscard]] std::vector<std::string> zero_stages(const FunnelCounts& counts,
                                                   std::uint64_t capabilities);

}  // namespace plumb::harness
