// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <vector>

#include "core/case_text.h"
#include "core/printable.h"
#include "harness/artefacts.h"
#include "harness/corpus.h"
#include "harness/triage.h"
#include "reports/triage_report.h"
#include "tools/open_jits.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct TriageArguments {
  std::vector<std::string> paths;
  std::string jits = "all";
  std::string out;
  unsigned jobs = 1;
};

// <signature>.bpf of each row, minimised; where a known finding shares the signature with another
// one, the waiver's name is behind it.
Result<std::vector<std::string>> write_rows(const harness::Triage& triage,
                                            const std::vector<harness::NamedCase>& cases,
                                            harness::JitList jits, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(fmt::format("{}: {}", directory, error.message()));
  std::vector<std::string> written;
  std::set<std::string> taken;
  for (const harness::TriageRow& row : triage.rows) {
    std::string name = row.signature.str();
    if (!taken.insert(name).second) name += "." + row.known;
    written.push_back(fmt::format("{}/{}{}", directory, name, harness::kCaseEnding));
    const auto done =
        harness::write_file(written.back(), print_case(harness::minimised_case(row, cases, jits)));
    if (!done) return std::unexpected(done.error());
  }
  return written;
}

int run_triage(const TriageArguments& arguments, const Session& session) {
  const auto artefacts = harness::read_artefacts(arguments.paths);
  if (!artefacts) return unusable(artefacts.error().str());
  if (artefacts->cases.empty()) {
    for (const std::string& file : artefacts->passed_over) fmt::print(stderr, "plumb: {}\n", file);
    return unusable("no artefacts in the paths given");
  }
  const auto opened = open_named_jits(session, arguments.jits);
  if (!opened) return unusable(opened.error().str());
  const auto& jits = opened->jits;
  auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return unusable(waivers.error().str());
  harness::CheckOptions options;
  options.waivers = std::move(*waivers);
  options.jobs = arguments.jobs;
  const harness::Triage triage = harness::triage(artefacts->cases, jits, options);
  reports::TriageReport report{.triage = triage, .artefacts = *artefacts, .written = {}};
  std::string problem;
  if (!arguments.out.empty()) {
    auto written = write_rows(triage, artefacts->cases, jits, arguments.out);
    if (written) {
      report.written = *std::move(written);
    } else {
      problem = written.error().str();
    }
  }
  fmt::print("{}", session.json ? triage_json(report) : triage_text(report));
  for (const std::string& failure : triage.harness_failures) {
    fmt::print(stderr, "plumb: the harness failed: {}\n", printable(failure));
  }
  return problem.empty() ? status_of(triage.status(), *opened) : unusable(problem);
}

}  // namespace

void add_triage_command(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<TriageArguments>();
  CLI::App* command =
      app.add_subcommand("triage", "Group what fuzzers left behind by what it shows");
  command->add_option("paths", arguments->paths, "artefacts, case files, directories of them")
      ->required();
  command->add_option("--jit", arguments->jits, "JIT names or globs, comma-separated, or all");
  command->add_option("--out", arguments->out, "write <signature>.bpf there, minimised")
      ->type_name("DIR");
  command->add_option("-j,--jobs", arguments->jobs, "processes at a time")
      ->check(CLI::Range(1, 64));
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return run_triage(*arguments, session); };
  });
}

}  // namespace plumb::tools
