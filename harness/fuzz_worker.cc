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
  count_walks(counts_[cell], outcome.judgement);
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
  const auto first = [jits](auto same) {
    return static_cast<std::size_t>(std::ranges::find_if(jits, same) - jits.begin());
  };
  for (const auto& jit : jits) {
    const jit::JitInfo& info = jit->info();
    const auto same_case = [&info](const auto& other) {
      return case_set(other->info()) == case_set(info);
    };
    same_case_.push_back(first(same_case));
    same_execution_.push_back(first([&](const auto& other) {
      return same_case(other) && other->info().contract == info.contract;
    }));
  }
  cases_.resize(jits.size());
  executions_.resize(jits.size());
  judge_.ask(options.interpreters);
  judge_.know(options.waivers);
}

const Case& FuzzWorker::case_for(const FuzzItem& item) {
  if (number_ != item.number) {
    std::ranges::fill(cases_, std::nullopt);
    std::ranges::fill(executions_, std::nullopt);
    number_ = item.number;
  }
  std::optional<Case>& value = cases_[same_case_[item.jit]];
  if (!value) value = fuzz_case(options_, item.number, case_set(jits_[item.jit]->info()));
  return *value;
}

const Execution& FuzzWorker::execution_for(const FuzzItem& item) {
  std::optional<Execution>& execution = executions_[same_execution_[item.jit]];
  if (!execution) execution = oracle::run(case_for(item), jits_[item.jit]->info().contract);
  return *execution;
}

std::optional<Judgement> FuzzWorker::run(const FuzzItem& item, std::atomic<Activity>& activity) {
  judge_.show_activity(&activity);
  activity = Activity::kGenerating;
  const Case& value = case_for(item);
  activity = Activity::kInterpreting;
  const Execution& execution = execution_for(item);
  Outcome outcome =
      judge_.judge(value, execution, *jits_[item.jit], fuzz_depth(options_, item.number));
  PLUMB_CHECK(outcome.judgement.verdict != Verdict::kNotJudged);
  funnels_.count(job_, item.jit, outcome, execution);
  const bool is_broken = outcome.judgement.verdict == Verdict::kPluginFailed;
  if (!is_finding(outcome.judgement) && !is_broken) return std::nullopt;
  return std::move(outcome.judgement);
}

std::uint64_t case_set(const jit::JitInfo& jit) {
  return jit.capabilities & gen::kObeyedCapabilities;
}

Case fuzz_case(const FuzzOptions& options, std::uint64_t number, std::uint64_t set) {
  return gen::generate(nth_seed(options.seed, number), options.shape, set);
}

Depth fuzz_depth(const FuzzOptions& options, std::uint64_t number) {
  if (options.depth) return *options.depth;
  const bool full = options.full_every > 0 && number % options.full_every == options.full_every - 1;
  return full ? Depth::kFull : Depth::kFast;
}

}  // namespace plumb::harness
