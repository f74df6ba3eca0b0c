// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "harness/isolate.h"
#include "harness/kernel_tests.h"

namespace plumb::harness {
namespace {

using Verdict = KernelTestOutcome::Verdict;
using Oracle = KernelTestOutcome::Oracle;

// On the pipe: three bytes, the reason, a zero, the other reason.
std::string pack(const KernelTestOutcome& outcome) {
  std::string bytes{static_cast<char>(outcome.verdict), static_cast<char>(outcome.oracle),
                    static_cast<char>(outcome.ran)};
  bytes += outcome.reason;
  bytes += '\0';
  return bytes + outcome.undefined_reason;
}

KernelTestOutcome unpack(std::string_view bytes) {
  const std::size_t end = bytes.find('\0', 3);
  KernelTestOutcome outcome;
  if (bytes.size() < 4 || end == std::string_view::npos) {
    outcome.verdict = Verdict::kHarnessFailed;
    outcome.reason = "no readable outcome";
    return outcome;
  }
  outcome.verdict = static_cast<Verdict>(bytes[0]);
  outcome.oracle = static_cast<Oracle>(bytes[1]);
  outcome.ran = bytes[2] != 0;
  outcome.reason = bytes.substr(3, end - 3);
  outcome.undefined_reason = bytes.substr(end + 1);
  return outcome;
}

KernelTestOutcome buried(Activity activity, const Death& death) {
  const bool theirs = (activity == Activity::kCompiling || activity == Activity::kRunning) &&
                      death != Death{Death::Kind::kExit, kCheckFailedStatus};
  KernelTestOutcome outcome;
  outcome.verdict = theirs ? Verdict::kFailed : Verdict::kHarnessFailed;
  outcome.reason = fmt::format(
      "{} {}", activity == Activity::kCompiling ? "the JIT was" : "the process was", death.str());
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
  run_isolated({.items = rows.size(),
                .jobs = static_cast<unsigned>(runners.size()),
                .seconds_per_item = options.seconds_per_test,
                .work =
                    [&](std::uint64_t item, unsigned job, std::atomic<Activity>& activity) {
                      if (!runners[job]) runners[job] = std::make_unique<KernelTestRunner>();
                      runners[job]->show_activity(&activity);
                      const KernelTestRow& row = rows[item];
                      const KernelTestSubject& subject = subjects[row.jit];
                      return pack(
                          runners[job]->run(*subject.tests, row.suite, row.index, *subject.jit));
                    },
                .on_result =
                    [&](std::uint64_t item, std::string_view bytes) {
                      rows[item].outcome = unpack(bytes);
                      ++done;
                    },
                .on_death =
                    [&](std::uint64_t item, Activity activity, const Death& death) {
                      rows[item].outcome = buried(activity, death);
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
