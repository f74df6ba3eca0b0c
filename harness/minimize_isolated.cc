// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/minimize_isolated.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/case_text.h"
#include "harness/isolate.h"

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
  judge.show_activity(&activity);
  return judge;
}

// "<attempts> <complete>\n<case>"
std::string to_text(const Minimised& small) {
  return fmt::format("{} {}\n{}", small.attempts, small.complete ? 1 : 0, print_case(small.value));
}

bool from_text(std::string_view text, Minimised& small) {
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos || line < 3) return false;
  small.attempts = std::strtoull(std::string(text.substr(0, line - 2)).c_str(), nullptr, 10);
  small.complete = text[line - 1] == '1';
  Result<Case> value = parse_case(text.substr(line + 1));
  if (!value) return false;
  small.value = *std::move(value);
  return true;
}

// How the one child that makes all tries ended.
enum class End : std::uint8_t { kDone, kDied };

End in_one_process(const Case& value, const Task& task, Minimised& small) {
  const IsolatedResult result =
      run_isolated(kSecondsToMinimise, [&](std::atomic<Activity>& activity) {
        Judge judge = make_judge(task.options, activity);
        const auto holds = [&](const Case& candidate) {
          return shows(candidate, task.jit, task.options.depth, task.signature, judge);
        };
        return to_text(minimize(value, holds, {.max_attempts = task.options.max_attempts}));
      });
  return !result.died && from_text(result.output, small) ? End::kDone : End::kDied;
}

bool shows_in_fresh_process(const Case& value, const Task& task, bool& hangs) {
  const double seconds = std::min(kSecondsPerTry, task.options.seconds_per_case);
  const IsolatedResult result = run_isolated(seconds, [&](std::atomic<Activity>& activity) {
    Judge judge = make_judge(task.options, activity);
    const bool same = shows(value, task.jit, task.options.depth, task.signature, judge);
    return std::string(same ? "x" : "");
  });
  hangs = result.died && result.death.kind == Death::Kind::kTimeout;
  if (!result.died) return !result.output.empty();
  return death_judgement(task.jit.info(), result.activity, {}).signature == task.signature;
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
  IsolatedMinimised out;
  if (verdict != Verdict::kCrash && in_one_process(value, task, out.result) == End::kDone) {
    out.minimised = true;
    return out;
  }
  return in_fresh_processes(value, task);
}

}  // namespace plumb::harness
