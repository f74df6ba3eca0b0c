// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <vector>

#include "core/case_text.h"
#include "harness/artefacts.h"
#include "harness/corpus.h"
#include "harness/minimize.h"
#include "harness/triage.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

using Json = nlohmann::ordered_json;

struct TriageArguments {
  std::vector<std::string> paths;
  std::string jits = "all";
  std::string out;
  unsigned jobs = 1;
};

struct TriageReport {
  const harness::Triage& triage;
  const harness::Artefacts& artefacts;
  std::vector<std::string> written;  // by row, where files were asked for
};

void print_json(const TriageReport& report) {
  const auto& [triage, artefacts, written] = report;
  const std::vector<harness::NamedCase>& cases = artefacts.cases;
  Json rows = Json::array();
  for (std::size_t i = 0; i < triage.rows.size(); ++i) {
    const harness::TriageRow& row = triage.rows[i];
    rows.push_back({{"signature", row.signature.str()},
                    {"known", row.known.empty() ? Json(nullptr) : Json(row.known)},
                    {"count", row.count},
                    {"jits", row.jits},
                    {"smallest", cases[row.smallest].path},
                    {"written", i < written.size() ? Json(written[i]) : Json(nullptr)},
                    {"message", row.message}});
  }
  Json silent = Json::array();
  for (const std::size_t i : triage.silent) silent.push_back(cases[i].path);
  const Json out{{"version", 1},
                 {"command", "triage"},
                 {"artefacts", cases.size()},
                 {"signatures", rows},
                 {"silent", silent},
                 {"passed_over", artefacts.passed_over},
                 {"notes", artefacts.notes}};
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_text(const TriageReport& report) {
  const auto& [triage, artefacts, written] = report;
  const std::vector<harness::NamedCase>& cases = artefacts.cases;
  fmt::print("{} artefacts, {} signatures, {} artefacts that show nothing, {} files passed over\n",
             cases.size(), triage.rows.size(), triage.silent.size(), artefacts.passed_over.size());
  if (!triage.rows.empty()) {
    fmt::print("{:>6}  {:>12}  {:<48} {}\n", "count", "instructions", "signature", "smallest");
  }
  for (std::size_t i = 0; i < triage.rows.size(); ++i) {
    const harness::TriageRow& row = triage.rows[i];
    const harness::NamedCase& smallest = cases[row.smallest];
    fmt::print("{:>6}  {:>12}  {:<48} {}\n", row.count,
               harness::instructions_without_exits(smallest.value), row.signature.str(),
               smallest.path);
    fmt::print("{:>22}{}\n", "", row.message);
    fmt::print("{:>22}on {}{}\n", "", fmt::join(row.jits, ", "),
               row.known.empty() ? "" : ", known: " + row.known);
    if (i < written.size()) fmt::print("{:>22}written: {}\n", "", written[i]);
  }
  for (const std::size_t i : triage.silent) fmt::print("shows nothing: {}\n", cases[i].path);
  for (const std::string& file : artefacts.passed_over) fmt::print("passed over: {}\n", file);
  for (const std::string& note : artefacts.notes) fmt::print("note: {}\n", note);
}

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
  const auto jits = jit::open_jits(session.plugin_directory, arguments.jits);
  if (!jits) return unusable(jits.error().str());
  auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return unusable(waivers.error().str());
  harness::CheckOptions options;
  options.waivers = std::move(*waivers);
  options.jobs = arguments.jobs;
  const harness::Triage triage = harness::triage(artefacts->cases, *jits, options);
  TriageReport report{.triage = triage, .artefacts = *artefacts, .written = {}};
  std::string problem;
  if (!arguments.out.empty()) {
    auto written = write_rows(triage, artefacts->cases, *jits, arguments.out);
    if (written) {
      report.written = *std::move(written);
    } else {
      problem = written.error().str();
    }
  }
  session.json ? print_json(report) : print_text(report);
  for (const std::string& failure : triage.harness_failures) {
    fmt::print(stderr, "plumb: the harness failed: {}\n", failure);
  }
  return problem.empty() ? triage.status() : unusable(problem);
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
