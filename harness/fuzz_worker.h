// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

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

// What a worker says about one case under one JIT.
struct WorkerFinding {
  std::size_t jit = 0;
  Depth depth = Depth::kFast;
  Judgement judgement;
};

// Some findings as bytes on the pipe. A single byte-string may hold several.
[[nodiscard]] std::vector<WorkerFinding> unpack_findings(std::string_view bytes);

// Counters that workers keep where their parent sees them, so that none is lost when one dies.
class SharedFunnels {
 public:
  SharedFunnels(unsigned jobs, std::size_t jits);
  void count(unsigned job, std::size_t jit, const Outcome& outcome, const Execution& execution);
  // Which JIT the job is at.
  void enter(unsigned job, std::size_t jit) { current_jit_[job] = static_cast<std::uint32_t>(jit); }
  [[nodiscard]] std::size_t current_jit(unsigned job) const { return current_jit_[job]; }
  [[nodiscard]] Funnel sum(std::size_t jit) const;
  [[nodiscard]] FunnelCounts counts(std::size_t jit) const;

 private:
  struct Reason {
    char text[120];
    std::uint64_t count;
  };
  static constexpr std::size_t kReasons = 96;  // the oracle has about half as many
  static void count_reason(const SharedArray<Reason>& reasons, std::size_t cell,
                           std::string_view text);
  static void add_reasons(const SharedArray<Reason>& reasons, std::size_t cell,
                          std::map<std::string, std::uint64_t>& sum);

  unsigned jobs_;
  std::size_t jits_;
  SharedArray<FunnelCounts> counts_;
  SharedArray<Reason> reasons_;      // why undefined
  SharedArray<Reason> no_opinions_;  // why no second opinion
  SharedArray<std::atomic<std::uint32_t>> current_jit_;
};

// Judges cases in one process.
class FuzzWorker {
 public:
  FuzzWorker(JitList jits, const FuzzOptions& options, SharedFunnels& funnels, unsigned job);
  // Findings of the case, packed; empty when there are none.
  [[nodiscard]] std::string run(std::uint64_t item, std::atomic<Activity>& activity);

 private:
  [[nodiscard]] const Execution& execution_for(std::size_t jit, const Case& value);

  JitList jits_;
  const FuzzOptions& options_;
  SharedFunnels& funnels_;
  unsigned job_;
  Judge judge_;
  std::vector<std::size_t> contract_of_;  // by JIT: index of its contract among the different ones
  std::vector<std::optional<Execution>> executions_;  // by contract, of the case at hand
};

[[nodiscard]] Case fuzz_case(const FuzzOptions& options, std::uint64_t item);
[[nodiscard]] Depth fuzz_depth(const FuzzOptions& options, std::uint64_t item);

}  // namespace plumb::harness
