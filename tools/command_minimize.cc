// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "core/case_text.h"
#include "core/printable.h"
#include "harness/artefacts.h"
#include "harness/check.h"
#include "harness/corpus.h"
#include "harness/minimize_isolated.h"
#include "tools/open_jits.h"
#include "tools/second_opinions.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct MinimizeArguments {
  std::string file;
  std::string jit;
  std::string out;
};

int minimize_file(const MinimizeArguments& arguments, const Session& session) {
  const Result<harness::Artefact> artefact = harness::read_artefact(arguments.file);
  if (!artefact) return unusable(artefact.error().str());
  const Case& value = artefact->value;
  if (!artefact->note.empty()) fmt::print(stderr, "plumb: {}\n", artefact->note);
  auto jits = open_all_jits(session, arguments.jit);
  if (!jits) return unusable(jits.error().str());
  if (jits->size() != 1) return unusable("minimize works for one JIT at a time");
  jit::Jit& jit = *jits->front();
  const auto interpreters = open_second_opinions(session, *jits, false, true);
  if (!interpreters) return unusable(interpreters.error().str());

  // In a child process: a case that kills the JIT or the emulator is a finding like any other.
  const std::vector<harness::NamedCase> cases{
      {.name = harness::case_name(arguments.file), .path = arguments.file, .value = value}};
  harness::CheckOptions options;
  options.interpreters = *interpreters;
  const harness::CheckReport checked = harness::check_cases(cases, *jits, options);
  for (const std::string& failure : checked.harness_failures) {
    fmt::print(stderr, "plumb: the harness failed: {}\n", printable(failure));
  }
  const Judgement& first = checked.rows.front().judgement;
  if (first.verdict == Verdict::kNotJudged || first.verdict == Verdict::kPluginFailed) {
    return kStatusHarnessFailed;
  }
  if (!harness::is_finding(first)) {
    return unusable(fmt::format("{}: {} on {}: nothing to minimise", arguments.file,
                                verdict_name(first.verdict), jit.info().name));
  }
  const Signature wanted = first.signature;
  const bool is_opinion = wanted.invariant == harness::kSecondOpinion;
  const harness::IsolatedMinimised small = harness::minimize_isolated(
      value, jit, wanted, first.verdict,
      {.interpreters =
           is_opinion ? harness::InterpreterList(*interpreters) : harness::InterpreterList()});
  if (!small.minimised) {
    fmt::print(stderr, "plumb: {}: {} comes and goes: not minimised\n", arguments.file,
               wanted.str());
    return kStatusHarnessFailed;
  }
  Case out = small.result.value;
  out.notes = {fmt::format("{} on {}", wanted.str(), jit.info().name)};
  const auto written = harness::write_file(arguments.out, print_case(out));
  if (!written) return unusable(written.error().str());
  fmt::print("{}: {} instructions outside the exits, {} attempts, signature {}\n", arguments.out,
             harness::instructions_without_exits(out), small.result.attempts, wanted.str());
  return kStatusConforms;
}

}  // namespace

void add_minimize_command(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<MinimizeArguments>();
  CLI::App* command = app.add_subcommand("minimize", "Shrink a case while its signature holds");
  command->add_option("file", arguments->file, "case file, or an artefact of a fuzz target")
      ->required();
  command->add_option("--jit", arguments->jit, "JIT name")->required();
  command->add_option("-o,--out", arguments->out, "where to write the small case")->required();
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return minimize_file(*arguments, session); };
  });
}

}  // namespace plumb::tools
