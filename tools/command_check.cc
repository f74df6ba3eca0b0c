// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
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
#include "tools/report_json.h"
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
};

// Adds one row to the report of its JIT.
void add_row(const harness::CheckRow& row, const harness::NamedCase& named, const jit::Jit& jit,
             JitReport& report) {
  const Execution execution = oracle::run(named.value, jit.info().contract);
  harness::count_case(report.funnel.counts, row.stage, execution);
  if (!execution.defined) ++report.funnel.undefined[execution.undefined_reason];
  const SecondOpinion& opinion = row.judgement.opinion;
  harness::count_opinion(report.funnel.counts, opinion);
  if (opinion.status == SecondOpinion::Status::kNotApplicable) {
    ++report.funnel.no_opinion[opinion.text];
  }
  if (harness::is_finding(row.judgement)) {
    add_finding(report, row.judgement, named.path, row.known);
  }
}

reports::JunitCase junit_case(const harness::CheckRow& row, const harness::NamedCase& named,
                              const std::string& jit) {
  reports::JunitCase out{.suite = jit, .name = named.path, .failure = {}, .skipped = {}};
  if (harness::is_finding(row.judgement)) {
    if (row.known.empty()) out.failure = row.judgement.signature.str();
  } else if (row.judgement.verdict != Verdict::kConforms) {
    out.skipped = fmt::format("{}: {}", verdict_name(row.judgement.verdict), row.judgement.reason);
  }
  return out;
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
                    const std::vector<harness::NamedCase>& cases, Report& report) {
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

// The same as failing tests, so that none of them is green when the status is not 0.
std::vector<reports::JunitCase> junit_complaints(const Report& report) {
  std::vector<reports::JunitCase> out;
  for (const auto* complaints : {&report.unexpected, &report.stale}) {
    for (const CaseComplaint& complaint : *complaints) {
      out.push_back({"corpus", complaint.path, complaint.message, {}});
    }
  }
  for (const std::string& failure : report.harness_failures) {
    out.push_back({"corpus", "harness", "the harness failed: " + failure, {}});
  }
  return out;
}

int check(const CheckArguments& arguments, const Session& session, const std::string& command) {
  const bool replay = command == "replay";
  const auto cases = read_cases(arguments.paths, replay);
  if (!cases) return unusable(cases.error().str());
  const auto jits = jit::open_jits(session.plugin_directory, arguments.jits);
  if (!jits) return unusable(jits.error().str());
  auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return unusable(waivers.error().str());
  auto interpreters = open_second_opinions(session, *jits, arguments.second_opinion, replay);
  if (!interpreters) return unusable(interpreters.error().str());

  harness::CheckOptions options;
  options.interpreters = *interpreters;
  options.depth = arguments.depth == "fast" ? Depth::kFast : Depth::kFull;
  options.waivers = std::move(*waivers);
  options.jobs = arguments.jobs;
  const auto begin = std::chrono::steady_clock::now();
  const harness::CheckReport checked = harness::check_cases(*cases, *jits, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;

  Report report{.command = command, .seed = 0, .seconds = seconds.count(), .jits = {}};
  for (const auto& jit : *jits) report.jits.push_back(make_report(jit->info()));
  std::vector<reports::JunitCase> junit;
  for (const harness::CheckRow& row : checked.rows) {
    const harness::NamedCase& named = (*cases)[row.case_index];
    const jit::Jit& jit = *(*jits)[row.jit_index];
    add_row(row, named, jit, report.jits[row.jit_index]);
    junit.push_back(junit_case(row, named, jit.info().name));
  }
  add_complaints(checked, *cases, report);
  print_report(session, report);
  if (!arguments.junit.empty()) {
    std::ranges::move(junit_complaints(report), std::back_inserter(junit));
    const auto written = harness::write_file(arguments.junit, reports::junit_xml(junit));
    if (!written) return unusable(written.error().str());
  }
  return checked.status();
}

void add_options(CLI::App& command, CheckArguments& options) {
  command.add_option("--jit", options.jits, "JIT names or globs, comma-separated, or all");
  command.add_option("--depth", options.depth, "fast or full")
      ->check(CLI::IsMember({"fast", "full"}));
  command.add_option("-j,--jobs", options.jobs, "processes at a time; replay: all processors")
      ->check(CLI::Range(1, 64));
  command.add_flag("--second-opinion", options.second_opinion,
                   "ask the interpreter of the JIT's kernel tree too; replay always does");
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
