// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/fuzz_worker.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/rng.h"
#include "harness/wire.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

using nlohmann::json;

}  // namespace

std::vector<WorkerFinding> unpack_findings(std::string_view bytes) {
  std::vector<WorkerFinding> findings;
  const json packed = json::parse(bytes, nullptr, false);
  if (!packed.is_array()) return findings;
  for (const json& row : packed) {
    auto judgement = unpack(row[2].get<std::string>());
    if (!judgement) continue;
    findings.push_back({.jit = row[0],
                        .depth = static_cast<Depth>(row[1].get<int>()),
                        .judgement = *std::move(judgement)});
  }
  return findings;
}

SharedFunnels::SharedFunnels(unsigned jobs, std::size_t jits)
    : jobs_(jobs),
      jits_(jits),
      counts_(jobs * jits),
      reasons_(jobs * jits * kReasons),
      no_opinions_(jobs * jits * kReasons),
      current_jit_(jobs) {}

void SharedFunnels::count(unsigned job, std::size_t jit, const Outcome& outcome,
                          const Execution& execution) {
  const std::size_t cell = job * jits_ + jit;
  const SecondOpinion& opinion = outcome.judgement.opinion;
  count_case(counts_[cell], outcome.stage, execution);
  count_opinion(counts_[cell], opinion);
  if (!execution.defined) count_reason(reasons_, cell, execution.undefined_reason);
  if (opinion.status == SecondOpinion::Status::kNotApplicable) {
    count_reason(no_opinions_, cell, opinion.text);
  }
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
  for (unsigned job = 0; job < jobs_; ++job) {
    add_reasons(reasons_, job * jits_ + jit, funnel.undefined);
    add_reasons(no_opinions_, job * jits_ + jit, funnel.no_opinion);
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
}

const Execution& FuzzWorker::execution_for(std::size_t jit, const Case& value) {
  auto& execution = executions_[contract_of_[jit]];
  if (!execution) execution = oracle::run(value, jits_[jit]->info().contract);
  return *execution;
}

std::string FuzzWorker::run(std::uint64_t item, std::atomic<Activity>& activity) {
  judge_.show_activity(&activity);
  activity = Activity::kGenerating;
  const Case value = fuzz_case(options_, item);
  const Depth depth = fuzz_depth(options_, item);
  std::ranges::fill(executions_, std::nullopt);
  json findings = json::array();
  for (std::size_t i = 0; i < jits_.size(); ++i) {
    funnels_.enter(job_, i);
    activity = Activity::kInterpreting;
    const Execution& execution = execution_for(i, value);
    const Outcome outcome = judge_.judge(value, execution, *jits_[i], depth);
    funnels_.count(job_, i, outcome, execution);
    if (!is_finding(outcome.judgement)) continue;
    findings.push_back({i, static_cast<int>(depth), pack(outcome.judgement)});
  }
  return findings.empty() ? std::string() : findings.dump();
}

Case fuzz_case(const FuzzOptions& options, std::uint64_t item) {
  return gen::generate(nth_seed(options.seed, item), options.shape);
}

Depth fuzz_depth(const FuzzOptions& options, std::uint64_t item) {
  const bool full = options.full_every > 0 && item % options.full_every == options.full_every - 1;
  return full ? Depth::kFull : Depth::kFast;
}

}  // namespace plumb::harness
