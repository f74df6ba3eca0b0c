// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "harness/check.h"
#include "harness/corpus.h"
#include "harness/funnel.h"
#include "harness/judge.h"
#include "oracle/oracle.h"
#include "reports/junit.h"
#include "tools/open_jits.h"
#include "tools/print_report.h"
#include "tools/second_opinions.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct CheckArguments {
  std::vector<std::string> paths;
  std::string jits = "all";
  std::string depth = "full";
  std::string junit;
  unsigned jobs = 1;
  bool second_opinion = false;
  bool verbose = false;
};

Depth depth_named(std::string_view name) {
  if (name == "fast") return Depth::kFast;
  return name == "full" ? Depth::kFull : Depth::kInterrupts;
}

// What the oracle says about a case under the contracts of the JITs, each asked once.
class Executions {
 public:
  explicit Executions(const Case& value) : value_(value) {}

  const Execution& under(const Contract& contract) {
    for (const auto& [known, execution] : executions_) {
      if (known == contract) return execution;
    }
    return executions_.emplace_back(contract, oracle::run(value_, contract)).second;
  }

 private:
  const Case& value_;
  std::deque<std::pair<Contract, Execution>> executions_;
};

// Adds one row to the report of its JIT.
void add_row(const harness::CheckRow& row, const harness::NamedCase& named,
             const Execution& execution, reports::JitReport& report) {
  std::vector<Finding> findings;
  if (harness::is_finding(row.judgement)) {
    findings.push_back(harness::finding_of(row.judgement));
    if (!row.known.empty()) findings.back().known = row.known;
  }
  add_case(report, named.path, row.judgement, std::move(findings));
  if (row.judgement.verdict == Verdict::kNotJudged) return;
  report.funnel.add({.judgement = row.judgement, .stage = row.stage}, execution);
}

// Rows come case by case.
void add_rows(const harness::CheckReport& checked, const std::vector<harness::NamedCase>& cases,
              harness::JitList jits, reports::Report& report) {
  std::optional<Executions> executions;
  for (const harness::CheckRow& row : checked.rows) {
    const harness::NamedCase& named = cases[row.case_index];
    if (row.jit_index == 0) executions.emplace(named.value);
    add_row(row, named, executions->under(jits[row.jit_index]->info().contract),
            report.jits[row.jit_index]);
  }
}

// corpus/broken holds what no command takes.
bool is_broken_on_purpose(const std::string& file, const std::vector<std::string>& paths) {
  return std::ranges::any_of(paths, [&](const std::string& path) {
    return file.starts_with((std::filesystem::path(path) / "broken/").string());
  });
}

Result<std::vector<harness::NamedCase>> read_cases(const std::vector<std::string>& paths,
                                                   bool replay) {
  std::vector<harness::NamedCase> cases;
  for (harness::CorpusFile& file : harness::read_corpus(paths)) {
    if (replay && is_broken_on_purpose(file.path, paths)) continue;
    if (!file.value) return std::unexpected(file.value.error());
    cases.push_back({.name = harness::case_name(file.path),
                     .path = file.path,
                     .value = std::move(*file.value)});
  }
  if (cases.empty()) return fail("no case files in the paths given");
  return cases;
}

// Below the current directory, else of the checkout that the command was built from. A corpus may
// lack a part; one that lacks all of them is said to be unreadable.
std::vector<std::string> regression_corpus(const Session& session) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path corpus = fs::is_directory("corpus/seeds", error)
                              ? fs::path("corpus")
                              : fs::path(session.source_directory) / "corpus";
  std::vector<std::string> paths;
  for (const char* part : {"seeds", "known", "regressions", "distilled"}) {
    if (fs::is_directory(corpus / part, error)) paths.push_back((corpus / part).string());
  }
  return paths.empty() ? std::vector<std::string>{(corpus / "seeds").string()} : paths;
}

// What is wrong beside findings: expectations, stale waivers, our own failures.
void add_complaints(const harness::CheckReport& checked,
                    const std::vector<harness::NamedCase>& cases, reports::Report& report) {
  for (const auto& unexpected : checked.unexpected) {
    report.unexpected.push_back({cases[unexpected.case_index].path, unexpected.message});
  }
  for (const auto& stale : checked.stale) {
    report.stale.push_back(
        {cases[stale.case_index].path, fmt::format("waiver {} for {} matches nothing any more",
                                                   stale.waiver.signature, stale.waiver.jits)});
  }
  report.harness_failures = checked.harness_failures;
}

int check(const CheckArguments& arguments, const Session& session, const std::string& command) {
  const bool replay = command == "replay";
  const auto cases = read_cases(arguments.paths, replay);
  if (!cases) return unusable(cases.error().str());
  const auto opened = open_named_jits(session, arguments.jits);
  if (!opened) return unusable(opened.error().str());
  const auto& jits = opened->jits;
  auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return unusable(waivers.error().str());
  auto interpreters = open_second_opinions(session, jits, arguments.second_opinion, replay);
  if (!interpreters) return unusable(interpreters.error().str());

  harness::CheckOptions options;
  options.interpreters = *interpreters;
  options.depth = depth_named(arguments.depth);
  options.waivers = std::move(*waivers);
  options.jobs = arguments.jobs;
  const auto begin = std::chrono::steady_clock::now();
  const harness::CheckReport checked = harness::check_cases(*cases, jits, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;

  reports::Report report{.command = command, .seconds = seconds.count()};
  for (const auto& jit : jits) report.jits.push_back(reports::make_report(jit->info()));
  report.not_available = missing_from(*opened);
  add_rows(checked, *cases, jits, report);
  add_complaints(checked, *cases, report);
  print_report(session, report, arguments.verbose);
  if (!arguments.junit.empty()) {
    const auto written = harness::write_file(arguments.junit, reports::junit_xml(report));
    if (!written) return unusable(written.error().str());
  }
  return status_of(checked.status(), *opened);
}

void add_options(CLI::App& command, CheckArguments& options) {
  command.add_option("--jit", options.jits, "JIT names or globs, comma-separated, or all");
  command
      .add_option("--depth", options.depth, "fast, full, or interrupts: one at every instruction")
      ->check(CLI::IsMember({"fast", "full", "interrupts"}));
  command.add_option("-j,--jobs", options.jobs, "processes at a time; replay: all processors")
      ->check(CLI::Range(1, 64));
  command.add_flag("--second-opinion", options.second_opinion,
                   "ask the interpreter of the JIT's kernel tree too; replay always does");
  command.add_flag("-v,--verbose", options.verbose,
                   "everything about each JIT: funnel, invariants, cases");
  command.add_option("--junit", options.junit, "write the outcome as JUnit XML")->type_name("FILE");
}

}  // namespace

void add_check_commands(CLI::App& app, Session& session) {
  auto options = std::make_shared<CheckArguments>();
  CLI::App* command = app.add_subcommand("check", "Judge case files on JITs");
  command->add_option("paths", options->paths, "case files or directories")->required();
  add_options(*command, *options);
  command->callback([options, &session] {
    session.action = [options, &session] { return check(*options, session, "check"); };
  });

  auto replayed = std::make_shared<CheckArguments>();
  CLI::App* replay = app.add_subcommand("replay", "Judge the regression corpus; what CI calls");
  replay->add_option("paths", replayed->paths,
                     "case files or directories, without their broken/; default: corpus");
  replayed->jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
  add_options(*replay, *replayed);
  replay->callback([replayed, &session] {
    session.action = [replayed, &session] {
      if (replayed->paths.empty()) replayed->paths = regression_corpus(session);
      return check(*replayed, session, "replay");
    };
  });
}

}  // namespace plumb::tools
