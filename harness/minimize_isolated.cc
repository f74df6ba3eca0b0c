// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/minimize_isolated.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "harness/coding.h"
#include "harness/isolate.h"
#include "harness/loss.h"

namespace plumb::harness {
namespace {

// With a process for each try.
constexpr std::size_t kIsolatedAttempts = 300;
constexpr std::size_t kHangAttempts = 60;  // each that holds lasts to the limit
constexpr double kSecondsPerTry = 2.0;
constexpr double kSecondsToMinimise = 120.0;

struct Task {
  jit::Jit& jit;
  const Signature& signature;
  const IsolatedMinimizeOptions& options;
};

Judge make_judge(const IsolatedMinimizeOptions& options, std::atomic<Activity>& activity) {
  Judge judge(options.make_machine);
  judge.ask(options.interpreters);
  judge.know(options.waivers);
  judge.show_activity(&activity);
  return judge;
}

// Nothing: the one child that makes all tries did not come to its end.
std::optional<Minimised> in_one_process(const Case& value, const Task& task) {
  const auto small =
      run_isolated<Minimised>(kSecondsToMinimise, [&](std::atomic<Activity>& activity) {
        Judge judge = make_judge(task.options, activity);
        const auto holds = [&](const Case& candidate) {
          return shows(candidate, task.jit, task.options.depth, task.signature, judge);
        };
        return minimize(value, holds, {.max_attempts = task.options.max_attempts});
      });
  if (!small) return std::nullopt;
  return *small;
}

bool shows_in_fresh_process(const Case& value, const Task& task, bool& hangs) {
  const double seconds = std::min(kSecondsPerTry, task.options.seconds_per_case);
  const auto same = run_isolated<bool>(seconds, [&](std::atomic<Activity>& activity) {
    Judge judge = make_judge(task.options, activity);
    return shows(value, task.jit, task.options.depth, task.signature, judge);
  });
  hangs = !same && same.error().death.kind == Death::Kind::kTimeout;
  if (same) return *same;
  const Judgement judgement = outcome_of(same.error(), task.jit.info()).judgement;
  return is_finding(judgement) && judgement.signature == task.signature;
}

IsolatedMinimised in_fresh_processes(const Case& value, const Task& task) {
  IsolatedMinimised out{.result = {.value = value}};
  bool hangs = false;
  out.alone = shows_in_fresh_process(value, task, hangs);
  if (!out.alone) return out;
  const std::size_t attempts = hangs ? kHangAttempts : kIsolatedAttempts;
  const auto holds = [&](const Case& candidate) {
    return shows_in_fresh_process(candidate, task, hangs);
  };
  out.result =
      minimize(value, holds, {.max_attempts = std::min(attempts, task.options.max_attempts)});
  out.minimised = true;
  return out;
}

}  // namespace

bool shows(const Case& value, jit::Jit& jit, Depth depth, const Signature& signature,
           Judge& judge) {
  const Outcome outcome = judge.judge(value, jit, depth);
  return is_finding(outcome.judgement) && outcome.judgement.signature == signature;
}

IsolatedMinimised minimize_isolated(const Case& value, jit::Jit& jit, const Signature& signature,
                                    Verdict verdict, const IsolatedMinimizeOptions& options) {
  const Task task{.jit = jit, .signature = signature, .options = options};
  if (verdict != Verdict::kCrash) {
    std::optional<Minimised> small = in_one_process(value, task);
    if (small) return {.result = *std::move(small), .minimised = true};
  }
  return in_fresh_processes(value, task);
}

}  // namespace plumb::harness
