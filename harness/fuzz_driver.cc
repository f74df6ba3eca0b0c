// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/fuzz_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <utility>

#include "core/check.h"
#include "core/rng.h"
#include "harness/coding.h"
#include "harness/finding_files.h"
#include "harness/fuzz_worker.h"
#include "harness/isolate.h"
#include "harness/known_code.h"
#include "harness/loss.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

using Clock = std::chrono::steady_clock;

// What plugins failed at, each failure once: with the first case and how many cases there were.
class PluginFailures {
 public:
  void add(std::size_t jit, const std::string& failure, std::uint64_t number) {
    auto it = seen_.find({jit, failure});
    if (it == seen_.end() && seen_.size() < kMost)
      it = seen_.emplace(Key{jit, failure}, Seen{}).first;
    if (it == seen_.end()) return;  // there are enough to tell that the plugin is of no use
    it->second.first = std::min(it->second.first, number);
    ++it->second.count;
  }

  void tell(FuzzReport& report) const {
    for (const auto& [key, seen] : seen_) {
      add_failure(report, fmt::format("{}: {} (case {}, {} in all)", report.jits[key.first].name,
                                      key.second, seen.first, seen.count));
    }
  }

 private:
  using Key = std::pair<std::size_t, std::string>;
  struct Seen {
    std::uint64_t first = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t count = 0;
  };
  static constexpr std::size_t kMost = 50;

  std::map<Key, Seen> seen_;
};

class Fuzzing {
 public:
  Fuzzing(JitList jits, const FuzzOptions& options)
      : jits_(jits),
        options_(options),
        jobs_(std::max(1u, options.jobs)),
        funnels_(jobs_, jits.size()),
        workers_(jobs_),
        begin_(Clock::now()) {
    report_.seed = options.seed;
    for (const auto& jit : jits) {
      report_.jits.emplace_back();
      report_.jits.back().name = jit->info().name;
      report_.jits.back().arch = jit->info().arch;
    }
    lost_.resize(jits.size());
  }

  FuzzReport run() {
    make_findings_directory(report_, options_);
    run_cases();
    plugin_failures_.tell(report_);
    report_.seconds = elapsed();
    for (std::size_t i = 0; i < jits_.size(); ++i) {
      JitFuzzReport& jit = report_.jits[i];
      jit.funnel = funnels_.sum(i);
      jit.funnel.counts.merge(lost_[i]);
      jit.rate = static_cast<double>(jit.funnel.counts.compared) / std::max(report_.seconds, 1e-3);
      jit.zero_stages =
          zero_stages(jit.funnel.counts,
                      {.capabilities = jits_[i]->info().capabilities,
                       .shapes = options_.shape != nullptr
                                     ? gen::reaches(*options_.shape, jits_[i]->info().capabilities)
                                     : gen::kReachesAll});
      std::ranges::sort(jit.findings, {}, &FuzzFinding::cases_until_found);
    }
    write_findings(report_, jits_, options_);
    return std::move(report_);
  }

 private:
  void run_cases() {
    run_isolated<Judgement>(
        {.items = item_count(),
         .jobs = jobs_,
         .group = jits_.size(),
         .seconds_per_item = options_.seconds_per_case,
         .work =
             [this](std::uint64_t item, unsigned job, std::atomic<Activity>& activity) {
               auto& worker = workers_[job];
               if (!worker) {
                 worker = std::make_unique<FuzzWorker>(jits_, options_, funnels_, job);
               }
               return worker->run(of(item), activity);
             },
         .on_result = [this](std::uint64_t item,
                             const Judgement& judgement) { add(of(item), judgement); },
         .on_loss = [this](std::uint64_t item, const Loss& loss) { lose(of(item), loss); },
         .on_tick = [this] { return tick(); }});
  }

  [[nodiscard]] std::uint64_t item_count() const {
    constexpr auto kEndless = std::numeric_limits<std::uint64_t>::max();
    return options_.runs == 0 || options_.runs > kEndless / jits_.size()
               ? kEndless
               : options_.runs * jits_.size();
  }

  [[nodiscard]] double elapsed() const {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
  }

  bool tick() {
    if (options_.on_progress) {
      FuzzProgress progress{.seconds = elapsed()};
      for (std::size_t i = 0; i < jits_.size(); ++i) {
        const FunnelCounts counts = funnels_.counts(i);
        progress.generated = std::max(progress.generated, counts.generated);
        progress.compared += counts.compared;
        for (const FuzzFinding& finding : report_.jits[i].findings) {
          ++(finding.known.empty() ? progress.findings : progress.known);
        }
      }
      options_.on_progress(progress);
    }
    if (options_.should_stop && options_.should_stop()) return false;
    return options_.seconds <= 0 || elapsed() < options_.seconds;
  }

  void add(const FuzzItem& where, const Judgement& judgement) {
    if (judgement.verdict == Verdict::kPluginFailed) {
      return plugin_failures_.add(where.jit, plugin_failure(judgement), where.number);
    }
    auto& findings = report_.jits[where.jit].findings;
    const Signature& signature = judgement.signature;
    auto it = std::ranges::find(findings, signature, &FuzzFinding::signature);
    if (it == findings.end()) {
      FuzzFinding finding{finding_of(judgement)};
      finding.known = judgement.known;
      finding.count = 0;
      it = findings.insert(it, std::move(finding));
    }
    ++it->count;
    // With several jobs, results do not come in the order of the cases.
    if (it->cases_until_found != 0 && it->cases_until_found <= where.number + 1) return;
    it->cases_until_found = where.number + 1;
    it->case_seed = nth_seed(options_.seed, where.number);
    it->value = case_of(where);
    it->depth = fuzz_depth(options_, where.number);
    Finding seen = finding_of(judgement);
    it->message = std::move(seen.message);
    it->second_opinion = std::move(seen.second_opinion);
    write_at_once(report_, jits_, where.jit, *it, options_);
  }

  void lose(const FuzzItem& where, const Loss& loss) {
    if (is_our_failure(loss)) return add_our_failure(where, loss);
    const jit::JitInfo& info = jits_[where.jit]->info();
    Outcome outcome = outcome_of(loss, info);
    // What the process that died would have counted.
    const Case value = case_of(where);
    count_case(lost_[where.jit], outcome.stage, oracle::run(value, info.contract));
    count_opinion(lost_[where.jit], outcome.judgement.opinion);
    Judgement& judgement = outcome.judgement;
    const std::vector<NamedWaiver> waivers = for_code_of(options_.waivers, info.name, value);
    const NamedWaiver* waiver = find_waiver(waivers, judgement.signature, info.name);
    if (waiver != nullptr) judgement.known = waiver->name;
    add(where, judgement);
  }

  void add_our_failure(const FuzzItem& where, const Loss& loss) {
    // The generator knows no JITs but what they take: the failure of one case is reported once.
    const bool generating = loss.activity == Activity::kGenerating;
    add_failure(report_, fmt::format("case {} (seed {:#x}){}: {}{}", where.number,
                                     nth_seed(options_.seed, where.number),
                                     generating ? std::string() : " on " + name_of(where),
                                     loss.death.str(), suspicion(options_.interpreters)));
  }

  [[nodiscard]] FuzzItem of(std::uint64_t item) const { return fuzz_item(item, jits_.size()); }

  [[nodiscard]] Case case_of(const FuzzItem& where) const {
    return fuzz_case(options_, where.number, case_set(jits_[where.jit]->info()));
  }

  [[nodiscard]] const std::string& name_of(const FuzzItem& where) const {
    return report_.jits[where.jit].name;
  }

  JitList jits_;
  const FuzzOptions& options_;
  unsigned jobs_;
  SharedFunnels funnels_;
  std::vector<std::unique_ptr<FuzzWorker>> workers_;  // by job; made in the child
  std::vector<FunnelCounts> lost_;                    // by JIT: cases that killed their process
  PluginFailures plugin_failures_;
  Clock::time_point begin_;
  FuzzReport report_;
};

}  // namespace

int FuzzReport::status() const {
  if (!harness_failures.empty()) return 3;
  for (const JitFuzzReport& jit : jits) {
    if (std::ranges::any_of(jit.findings, [](const auto& f) { return f.known.empty(); })) return 1;
  }
  const bool empty_stage =
      std::ranges::any_of(jits, [](const auto& jit) { return !jit.zero_stages.empty(); });
  return empty_stage ? 3 : 0;
}

FuzzReport fuzz(JitList jits, const FuzzOptions& options) {
  PLUMB_CHECK(options.runs > 0 || options.seconds > 0);
  PLUMB_CHECK(!jits.empty());
  for (const auto& jit : jits) {
    PLUMB_CHECK(options.shape == nullptr ||
                (options.shape->needs & ~jit->info().capabilities) == 0);
  }
  return Fuzzing(jits, options).run();
}

}  // namespace plumb::harness
