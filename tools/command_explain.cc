// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string_view>

#include "core/case_text.h"
#include "core/check.h"
#include "harness/isolate.h"
#include "harness/judge.h"
#include "reports/explain.h"
#include "tools/second_opinions.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct ExplainArguments {
  std::string file;
  std::string jit;
};

// The explanation, behind one character: 'f' for a finding, 'c' for none.
std::string explained(const Case& value, jit::Jit& jit, harness::InterpreterList interpreters,
                      std::atomic<harness::Activity>& activity) {
  harness::Judge judge;
  judge.ask(interpreters);
  judge.show_activity(&activity);
  const harness::Trial trial = judge.examine(value, jit, Depth::kFull);
  const std::string mark = harness::is_finding(trial.judgement) ? "f" : "c";
  if (trial.image == nullptr) {
    return mark + fmt::format("{} on {}: {}\n", verdict_name(trial.judgement.verdict),
                              jit.info().name, trial.judgement.reason);
  }
  return mark + reports::explain_text({.value = &value,
                                       .image = &trial.image->image(),
                                       .execution = &trial.execution,
                                       .run = &trial.run,
                                       .judgement = &trial.judgement});
}

int explain(const ExplainArguments& arguments, const Session& session) {
  const Result<Case> value = read_case(arguments.file);
  if (!value) return unusable(value.error().str());
  auto jits = jit::open_jits(session.plugin_directory, arguments.jit);
  if (!jits) return unusable(jits.error().str());
  if (jits->size() != 1) return unusable("explain works for one JIT at a time");
  jit::Jit& jit = *jits->front();
  const auto interpreters = open_second_opinions(session, *jits, false, true);
  if (!interpreters) return unusable(interpreters.error().str());

  constexpr double kSeconds = 60;
  const harness::IsolatedResult result =
      harness::run_isolated(kSeconds, [&](std::atomic<harness::Activity>& activity) {
        return explained(*value, jit, *interpreters, activity);
      });
  if (result.died) {
    const Judgement judgement =
        harness::death_judgement(jit.info(), result.activity, result.death.str());
    fmt::print("{}\n  {}\n", judgement.signature.str(), judgement.reason);
    return kStatusFinding;
  }
  PLUMB_CHECK(!result.output.empty());
  fmt::print("{}", std::string_view(result.output).substr(1));
  return result.output.front() == 'f' ? kStatusFinding : kStatusConforms;
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
