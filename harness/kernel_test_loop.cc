// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "harness/coding.h"
#include "harness/isolate.h"
#include "harness/kernel_tests.h"
#include "harness/loss.h"

namespace plumb::harness {
namespace {

using Verdict = KernelTestOutcome::Verdict;

KernelTestOutcome outcome_of(const Loss& loss) {
  const bool ours = is_our_failure(loss);
  const bool jit = !ours && loss.activity != Activity::kRunning;
  KernelTestOutcome outcome;
  if (loss.death.kind == Death::Kind::kTimeout) {
    outcome.verdict = Verdict::kNotFinished;
    outcome.reason =
        loss.activity == Activity::kCompiling ? "the JIT takes too long" : "it takes too long";
    return outcome;
  }
  outcome.verdict = ours ? Verdict::kHarnessFailed : Verdict::kFailed;
  outcome.reason = fmt::format("{}: {}", jit ? "the JIT" : "the process", loss.death.str());
  return outcome;
}

std::vector<KernelTestRow> rows_of(std::span<const KernelTestSubject> subjects,
                                   const KernelTestOptions& options) {
  std::vector<KernelTestRow> rows;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    for (const jit::KernelSuite suite : jit::kKernelSuites) {
      for (std::uint32_t index = 0; index < subjects[i].tests->count(suite); ++index) {
        if (options.wanted && !options.wanted(suite, index)) continue;
        rows.push_back({.jit = i, .suite = suite, .index = index, .outcome = {}});
      }
    }
  }
  return rows;
}

}  // namespace

std::vector<KernelTestRow> run_kernel_tests(std::span<const KernelTestSubject> subjects,
                                            const KernelTestOptions& options) {
  std::vector<KernelTestRow> rows = rows_of(subjects, options);
  std::vector<std::unique_ptr<KernelTestRunner>> runners(std::max(1u, options.jobs));
  std::size_t done = 0;
  run_isolated<KernelTestOutcome>(
      {.items = rows.size(),
       .jobs = static_cast<unsigned>(runners.size()),
       .seconds_per_item = options.seconds_per_test,
       .work =
           [&](std::uint64_t item, unsigned job, std::atomic<Activity>& activity) {
             if (!runners[job]) runners[job] = std::make_unique<KernelTestRunner>();
             runners[job]->show_activity(&activity);
             const KernelTestRow& row = rows[item];
             const KernelTestSubject& subject = subjects[row.jit];
             return runners[job]->run(*subject.tests, row.suite, row.index, *subject.jit);
           },
       .on_result =
           [&](std::uint64_t item, KernelTestOutcome outcome) {
             rows[item].outcome = std::move(outcome);
             ++done;
           },
       .on_loss =
           [&](std::uint64_t item, const Loss& loss) {
             rows[item].outcome = outcome_of(loss);
             ++done;
           },
       .on_tick =
           [&] {
             if (options.on_progress) options.on_progress(done, rows.size());
             return true;
           }});
  return rows;
}

}  // namespace plumb::harness
