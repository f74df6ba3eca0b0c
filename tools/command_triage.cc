// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "core/case_text.h"
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

void print_json(const harness::Triage& triage, const std::vector<harness::NamedCase>& cases) {
  Json rows = Json::array();
  for (const harness::TriageRow& row : triage.rows) {
    rows.push_back({{"signature", row.signature.str()},
                    {"known", row.known.empty() ? Json(nullptr) : Json(row.known)},
                    {"count", row.count},
                    {"jits", row.jits},
                    {"smallest", cases[row.smallest].path},
                    {"message", row.message}});
  }
  Json silent = Json::array();
  for (const std::size_t i : triage.silent) silent.push_back(cases[i].path);
  const Json out{{"version", 1},
                 {"command", "triage"},
                 {"artefacts", cases.size()},
                 {"signatures", rows},
                 {"silent", silent}};
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_text(const harness::Triage& triage, const std::vector<harness::NamedCase>& cases) {
  fmt::print("{} artefacts, {} signatures, {} artefacts that show nothing\n", cases.size(),
             triage.rows.size(), triage.silent.size());
  if (!triage.rows.empty()) {
    fmt::print("{:>6}  {:>12}  {:<48} {}\n", "count", "instructions", "signature", "smallest");
  }
  for (const harness::TriageRow& row : triage.rows) {
    const harness::NamedCase& smallest = cases[row.smallest];
    fmt::print("{:>6}  {:>12}  {:<48} {}\n", row.count,
               harness::instructions_without_exits(smallest.value), row.signature.str(),
               smallest.path);
    fmt::print("{:>22}{}\n", "", row.message);
    fmt::print("{:>22}on {}{}\n", "", fmt::join(row.jits, ", "),
               row.known.empty() ? "" : ", known: " + row.known);
  }
  for (const std::size_t i : triage.silent) fmt::print("shows nothing: {}\n", cases[i].path);
}

// <signature>.bpf of each row, minimised. What is wrong with the directory, or an empty string.
std::string write_rows(const harness::Triage& triage, const std::vector<harness::NamedCase>& cases,
                       harness::JitList jits, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fmt::format("{}: {}", directory, error.message());
  for (const harness::TriageRow& row : triage.rows) {
    const std::string path = fmt::format("{}/{}.bpf", directory, row.signature.str());
    const auto written =
        harness::write_file(path, print_case(harness::minimised_case(row, cases, jits)));
    if (!written) return written.error().str();
  }
  return {};
}

int run_triage(const TriageArguments& arguments, const Session& session) {
  const auto cases = harness::read_artefacts(arguments.paths);
  if (!cases) return unusable(cases.error().str());
  if (cases->empty()) return unusable("no artefacts in the paths given");
  const auto jits = jit::open_jits(session.plugin_directory, arguments.jits);
  if (!jits) return unusable(jits.error().str());
  auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return unusable(waivers.error().str());
  harness::CheckOptions options;
  options.waivers = std::move(*waivers);
  options.jobs = arguments.jobs;
  const harness::Triage triage = harness::triage(*cases, *jits, options);
  session.json ? print_json(triage, *cases) : print_text(triage, *cases);
  for (const std::string& failure : triage.harness_failures) {
    fmt::print(stderr, "plumb: the harness failed: {}\n", failure);
  }
  if (!arguments.out.empty()) {
    const std::string problem = write_rows(triage, *cases, *jits, arguments.out);
    if (!problem.empty()) return unusable(problem);
  }
  return triage.status();
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
