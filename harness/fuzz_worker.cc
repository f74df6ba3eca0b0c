// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/fuzz_worker.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/rng.h"
#include "invariants/invariants.h"
#include "oracle/oracle.h"

namespace plumb::harness {

FuzzItem fuzz_item(std::uint64_t item, std::size_t jits) {
  return {.number = item / jits, .jit = static_cast<std::size_t>(item % jits)};
}

SharedFunnels::SharedFunnels(unsigned jobs, std::size_t jits)
    : jobs_(jobs),
      jits_(jits),
      counts_(jobs * jits),
      reasons_{Counted{&Funnel::undefined, SharedArray<Reason>(jobs * jits * kReasons)},
               Counted{&Funnel::not_applicable, SharedArray<Reason>(jobs * jits * kReasons)},
               Counted{&Funnel::no_opinion, SharedArray<Reason>(jobs * jits * kReasons)}},
      rows_(invariants::invariant_table().size()),
      invariants_(jobs * jits * rows_) {}

void SharedFunnels::count(unsigned job, std::size_t jit, const Outcome& outcome,
                          const Execution& execution) {
  const std::size_t cell = job * jits_ + jit;
  count_case(counts_[cell], outcome.stage, execution);
  count_opinion(counts_[cell], outcome.judgement.opinion);
  for_each_reason(outcome, [&](ReasonCounts Funnel::* in, const std::string& reason) {
    for (const Counted& counted : reasons_) {
      if (counted.in == in) count_reason(counted.reasons, cell, reason);
    }
  });
  count_answers(std::span(&invariants_[cell * rows_], rows_), outcome.judgement.answers);
}

void SharedFunnels::count_reason(const SharedArray<Reason>& reasons, std::size_t cell,
                                 std::string_view text) {
  const std::string_view kept = text.substr(0, sizeof(Reason::text) - 1);
  for (std::size_t i = 0; i < kReasons; ++i) {
    Reason& reason = reasons[cell * kReasons + i];
    if (reason.count == 0) std::memcpy(reason.text, kept.data(), kept.size());
    if (kept != reason.text) continue;
    ++reason.count;
    return;
  }
}

FunnelCounts SharedFunnels::counts(std::size_t jit) const {
  FunnelCounts sum;
  for (unsigned job = 0; job < jobs_; ++job) sum.merge(counts_[job * jits_ + jit]);
  return sum;
}

void SharedFunnels::add_reasons(const SharedArray<Reason>& reasons, std::size_t cell,
                                std::map<std::string, std::uint64_t>& sum) {
  const std::size_t first = cell * kReasons;
  for (std::size_t i = 0; i < kReasons && reasons[first + i].count > 0; ++i) {
    sum[reasons[first + i].text] += reasons[first + i].count;
  }
}

Funnel SharedFunnels::sum(std::size_t jit) const {
  Funnel funnel;
  funnel.counts = counts(jit);
  funnel.invariants.resize(rows_);
  for (unsigned job = 0; job < jobs_; ++job) {
    const std::size_t cell = job * jits_ + jit;
    for (const Counted& counted : reasons_) add_reasons(counted.reasons, cell, funnel.*counted.in);
    for (std::size_t i = 0; i < rows_; ++i) {
      funnel.invariants[i].merge(invariants_[cell * rows_ + i]);
    }
  }
  return funnel;
}

FuzzWorker::FuzzWorker(JitList jits, const FuzzOptions& options, SharedFunnels& funnels,
                       unsigned job)
    : jits_(jits), options_(options), funnels_(funnels), job_(job), judge_(options.make_machine) {
  std::vector<Contract> contracts;
  for (const auto& jit : jits) {
    auto it = std::ranges::find(contracts, jit->info().contract);
    if (it == contracts.end()) it = contracts.insert(it, jit->info().contract);
    contract_of_.push_back(static_cast<std::size_t>(it - contracts.begin()));
  }
  executions_.resize(contracts.size());
  judge_.ask(options.interpreters);
  judge_.know(options.waivers);
}

void FuzzWorker::generate(std::uint64_t number) {
  if (number_ == number) return;
  value_ = fuzz_case(options_, number);
  number_ = number;
  std::ranges::fill(executions_, std::nullopt);
}

const Execution& FuzzWorker::execution_for(std::size_t jit) {
  auto& execution = executions_[contract_of_[jit]];
  if (!execution) execution = oracle::run(value_, jits_[jit]->info().contract);
  return *execution;
}

std::optional<Judgement> FuzzWorker::run(const FuzzItem& item, std::atomic<Activity>& activity) {
  judge_.show_activity(&activity);
  activity = Activity::kGenerating;
  generate(item.number);
  activity = Activity::kInterpreting;
  const Execution& execution = execution_for(item.jit);
  Outcome outcome =
      judge_.judge(value_, execution, *jits_[item.jit], fuzz_depth(options_, item.number));
  PLUMB_CHECK(outcome.judgement.verdict != Verdict::kNotJudged);
  funnels_.count(job_, item.jit, outcome, execution);
  if (!is_finding(outcome.judgement)) return std::nullopt;
  return std::move(outcome.judgement);
}

Case fuzz_case(const FuzzOptions& options, std::uint64_t number) {
  return gen::generate(nth_seed(options.seed, number), options.shape);
}

Depth fuzz_depth(const FuzzOptions& options, std::uint64_t number) {
  const bool full = options.full_every > 0 && number % options.full_every == options.full_every - 1;
  return full ? Depth::kFull : Depth::kFast;
}

}  // namespace plumb::harness
