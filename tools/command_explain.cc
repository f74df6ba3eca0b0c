// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string>
#include <tuple>

#include "core/case_text.h"
#include "core/codec.h"
#include "core/printable.h"
#include "harness/isolate.h"
#include "harness/judge.h"
#include "harness/loss.h"
#include "reports/explain.h"
#include "tools/open_jits.h"
#include "tools/second_opinions.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct ExplainArguments {
  std::string file;
  std::string jit;
};

struct Explanation {
  bool finding = false;
  bool failed = false;  // the plugin
  std::string text;
};

}  // namespace
}  // namespace plumb::tools

template <>
struct plumb::Members<plumb::tools::Explanation> {
  static constexpr std::tuple value{&plumb::tools::Explanation::finding,
                                    &plumb::tools::Explanation::failed,
                                    &plumb::tools::Explanation::text};
};

namespace plumb::tools {
namespace {

std::string death_text(const Judgement& judgement) {
  return fmt::format("{}\n  {}\n", judgement.signature.str(), printable(judgement.reason));
}

Explanation explained(const Case& value, jit::Jit& jit, harness::InterpreterList interpreters,
                      std::atomic<harness::Activity>& activity) {
  harness::Judge judge;
  judge.ask(interpreters);
  judge.show_activity(&activity);
  harness::Trial trial = judge.examine(value, jit, Depth::kFull);
  Explanation out{.finding = harness::is_finding(trial.judgement),
                  .failed = trial.judgement.verdict == Verdict::kPluginFailed,
                  .text = {}};
  if (trial.judgement.verdict == Verdict::kCrash && trial.image == nullptr) {
    out.text = death_text(trial.judgement);
    return out;
  }
  if (trial.image == nullptr) {
    out.text = fmt::format("{} on {}: {}\n", verdict_name(trial.judgement.verdict), jit.info().name,
                           printable(trial.judgement.reason));
    return out;
  }
  out.text = reports::explain_text({.value = &value,
                                    .image = &trial.image->image(),
                                    .execution = &trial.execution,
                                    .run = &trial.run,
                                    .judgement = &trial.judgement});
  activity = harness::Activity::kUnloading;
  const std::size_t seen = trial.judgement.violations.size();
  harness::unload(trial.image, jit.info(), trial.judgement);
  if (trial.judgement.verdict == Verdict::kCrash) {
    out.finding = true;
    out.text = death_text(trial.judgement);
  } else if (trial.judgement.violations.size() > seen) {
    const Violation& kept = trial.judgement.violations.back();
    out.finding = true;
    out.text += fmt::format("\n{}: {}\n", kept.invariant, kept.message);
  }
  activity = harness::Activity::kIdle;
  return out;
}

// What is left to tell of a case that ended the process.
int explain_loss(const harness::Loss& loss, const ExplainArguments& arguments,
                 const jit::JitInfo& jit) {
  if (harness::is_our_failure(loss)) {
    fmt::print(stderr, "plumb: the harness failed: {} under {}: {}\n", arguments.file, jit.name,
               loss.death.str());
    return kStatusHarnessFailed;
  }
  const Judgement judgement = harness::outcome_of(loss, jit).judgement;
  fmt::print("{}", death_text(judgement));
  return kStatusFinding;
}

int explain(const ExplainArguments& arguments, const Session& session) {
  const Result<Case> value = read_case(arguments.file);
  if (!value) return unusable(value.error().str());
  auto jits = open_all_jits(session, arguments.jit);
  if (!jits) return unusable(jits.error().str());
  if (jits->size() != 1) return unusable("explain works for one JIT at a time");
  jit::Jit& jit = *jits->front();
  const auto interpreters = open_second_opinions(session, *jits, false, true);
  if (!interpreters) return unusable(interpreters.error().str());

  constexpr double kSeconds = 60;
  const auto explanation =
      harness::run_isolated<Explanation>(kSeconds, [&](std::atomic<harness::Activity>& activity) {
        return explained(*value, jit, *interpreters, activity);
      });
  if (!explanation) return explain_loss(explanation.error(), arguments, jit.info());
  if (explanation->failed) {
    fmt::print(stderr, "plumb: {}", explanation->text);
    return kStatusHarnessFailed;
  }
  fmt::print("{}", explanation->text);
  return explanation->finding ? kStatusFinding : kStatusConforms;
}

}  // namespace

void add_explain_command(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<ExplainArguments>();
  CLI::App* command =
      app.add_subcommand("explain", "BPF beside native code, the frames, the first divergence");
  command->add_option("file", arguments->file, "case file")->required();
  command->add_option("--jit", arguments->jit, "JIT name")->required();
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return explain(*arguments, session); };
  });
}

}  // namespace plumb::tools
