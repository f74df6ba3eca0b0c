// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <memory>

#include "core/case_text.h"
#include "harness/judge.h"
#include "reports/explain.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct ExplainArguments {
  std::string file;
  std::string jit;
};

int explain(const ExplainArguments& arguments, const Session& session) {
  const Result<Case> value = read_case(arguments.file);
  if (!value) return unusable(value.error().str());
  auto jits = jit::open_jits(session.plugin_directory, arguments.jit);
  if (!jits) return unusable(jits.error().str());
  if (jits->size() != 1) return unusable("explain works for one JIT at a time");
  jit::Jit& jit = *jits->front();

  harness::Judge judge;
  const harness::Trial trial = judge.examine(*value, jit, Depth::kFull);
  if (trial.image == nullptr) {
    fmt::print("{} on {}: {}\n", verdict_name(trial.judgement.verdict), jit.info().name,
               trial.judgement.reason);
  } else {
    fmt::print("{}", reports::explain_text({.value = &*value,
                                            .image = &trial.image->image(),
                                            .execution = &trial.execution,
                                            .run = &trial.run,
                                            .judgement = &trial.judgement}));
  }
  return harness::is_finding(trial.judgement) ? kStatusFinding : kStatusConforms;
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
