// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/fuzz_driver.h"
#include "harness/shared_memory.h"

namespace plumb::harness {

// Items of the loop: one case under one JIT, all JITs of a case in a row. A JIT that kills its
// process takes nothing away from the others.
struct FuzzItem {
  std::uint64_t number = 0;  // of the case
  std::size_t jit = 0;
};
[[nodiscard]] FuzzItem fuzz_item(std::uint64_t item, std::size_t jits);

// Counters that workers keep where their parent sees them, so that none is lost when one dies.
class SharedFunnels {
 public:
  SharedFunnels(unsigned jobs, std::size_t jits);
  void count(unsigned job, std::size_t jit, const Outcome& outcome, const Execution& execution);
  [[nodiscard]] Funnel sum(std::size_t jit) const;
  [[nodiscard]] FunnelCounts counts(std::size_t jit) const;

 private:
  struct Reason {
    char text[120];
    std::uint64_t count;
  };
  static constexpr std::size_t kReasons = 96;  // the oracle has about half as many
  // Why cases were undefined, not applicable, or got no second opinion.
  struct Counted {
    ReasonCounts Funnel::* in;
    SharedArray<Reason> reasons;
  };
  static void count_reason(const SharedArray<Reason>& reasons, std::size_t cell,
                           std::string_view text);
  static void add_reasons(const SharedArray<Reason>& reasons, std::size_t cell,
                          std::map<std::string, std::uint64_t>& sum);

  unsigned jobs_;
  std::size_t jits_;
  SharedArray<FunnelCounts> counts_;
  std::array<Counted, 3> reasons_;
  std::size_t rows_;  // of the invariant table
  SharedArray<InvariantCounts> invariants_;
};

// Judges cases in one process.
class FuzzWorker {
 public:
  FuzzWorker(JitList jits, const FuzzOptions& options, SharedFunnels& funnels, unsigned job);
  // The judgement where it is a finding: the rest is counted in the funnel.
  [[nodiscard]] std::optional<Judgement> run(const FuzzItem& item, std::atomic<Activity>& activity);

 private:
  // Of the case with that number that the JIT gets.
  [[nodiscard]] const Case& case_for(const FuzzItem& item);
  [[nodiscard]] const Execution& execution_for(const FuzzItem& item);

  JitList jits_;
  const FuzzOptions& options_;
  SharedFunnels& funnels_;
  unsigned job_;
  Judge judge_;
  // By JIT: the first one that gets the same cases, and the first of those with its contract too.
  std::vector<std::size_t> same_case_;
  std::vector<std::size_t> same_execution_;
  std::optional<std::uint64_t> number_;  // of the cases at hand
  std::vector<std::optional<Case>> cases_;
  std::vector<std::optional<Execution>> executions_;
};

// Of the JIT's capabilities, those that the generator obeys (gen/generate.h).
[[nodiscard]] std::uint64_t case_set(const jit::JitInfo& jit);
// The case of that number for the JITs with this set: a function of these, the seed and the shape.
[[nodiscard]] Case fuzz_case(const FuzzOptions& options, std::uint64_t number, std::uint64_t set);
[[nodiscard]] Depth fuzz_depth(const FuzzOptions& options, std::uint64_t number);

}  // namespace plumb::harness
