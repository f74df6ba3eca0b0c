// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/finding_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "core/case_text.h"
#include "harness/corpus.h"
#include "harness/isolate.h"
#include "harness/minimize.h"

namespace plumb::harness {
namespace {

using nlohmann::json;

// A finding that kills its process is tried in a fresh one each time: fewer tries.
constexpr std::size_t kIsolatedAttempts = 300;
constexpr std::size_t kHangAttempts = 60;  // each that holds lasts to the limit
constexpr double kSecondsPerTry = 2.0;
constexpr double kSecondsToMinimise = 120.0;

// What a child says about a finding: the case that is left, its message and its report.
struct Described {
  std::string case_text;
  std::string message;
  std::string report;
};

std::string plain_report(const Judgement& judgement) {
  std::string text;
  for (const Violation& violation : judgement.violations) {
    text += fmt::format("{} ({}): {}\n", violation.invariant, violation.role, violation.message);
  }
  return text;
}

Described describe(const Case& value, jit::Jit& jit, const FuzzFinding& finding,
                   const FuzzOptions& options) {
  Judge judge(options.make_machine);
  judge.ask(options.interpreters);
  const Trial trial = judge.examine(value, jit, finding.depth);
  Described described{.case_text = print_case(value), .message = finding.message, .report = {}};
  if (!trial.judgement.violations.empty()) {
    described.message = trial.judgement.violations[0].message;
  }
  described.report = options.describe && trial.image ? options.describe(value, trial)
                                                     : plain_report(trial.judgement);
  return described;
}

// In a child: the minimiser runs the JIT and the emulator on thousands of odd cases.
std::string minimise_and_describe(const Case& value, jit::Jit& jit, const FuzzFinding& finding,
                                  const FuzzOptions& options) {
  Judge judge(options.make_machine);
  judge.ask(options.interpreters);
  const Minimised small =
      minimize(value,
               [&](const Case& candidate) {
                 return shows(candidate, jit, finding.depth, finding.signature, judge);
               },
               {.max_attempts = options.minimize_attempts});
  const Described described = describe(small.value, jit, finding, options);
  return json{described.case_text, described.message, described.report}.dump(
      -1, ' ', false, json::error_handler_t::replace);
}

bool dies(const Case& value, jit::Jit& jit, const FuzzFinding& finding,
          const FuzzOptions& options) {
  const double seconds = std::min(kSecondsPerTry, options.seconds_per_case);
  const IsolatedResult result = run_isolated(seconds, [&](std::atomic<Activity>& activity) {
    Judge judge(options.make_machine);
    judge.ask(options.interpreters);
    judge.show_activity(&activity);
    return std::string(shows(value, jit, finding.depth, finding.signature, judge) ? "x" : "");
  });
  if (!result.died) return !result.output.empty();
  return death_judgement(jit.info(), result.activity, {}).signature == finding.signature;
}

void minimise_crash(FuzzFinding& finding, jit::Jit& jit, const FuzzOptions& options,
                    std::string& report) {
  const auto holds = [&](const Case& candidate) { return dies(candidate, jit, finding, options); };
  report = finding.message + "\n";
  if (!holds(finding.value)) {
    finding.message += " (only behind other cases: alone, the case runs)";
    return;
  }
  const bool hangs = finding.message == Death{Death::Kind::kTimeout, 0}.str();
  const std::size_t attempts =
      std::min(hangs ? kHangAttempts : kIsolatedAttempts, options.minimize_attempts);
  const Minimised small = minimize(finding.value, holds, {.max_attempts = attempts});
  finding.value = small.value;
  finding.minimised = true;
}

void minimise_finding(FuzzFinding& finding, jit::Jit& jit, const FuzzOptions& options,
                      std::string& report) {
  if (finding.verdict == Verdict::kCrash) return minimise_crash(finding, jit, options, report);
  const IsolatedResult result = run_isolated(kSecondsToMinimise, [&](std::atomic<Activity>&) {
    return minimise_and_describe(finding.value, jit, finding, options);
  });
  const json parts = json::parse(result.output, nullptr, false);
  if (result.died || !parts.is_array() || parts.size() != 3) {
    report = finding.message + "\n";
    return;
  }
  const Result<Case> small = parse_case(parts[0].get<std::string>());
  if (!small) {
    report = finding.message + "\n";
    return;
  }
  finding.value = *small;
  finding.message = parts[1];
  finding.minimised = true;
  report = parts[2];
}

// The case file tells where it comes from.
Case annotated(const FuzzFinding& finding, const std::string& jit, std::uint64_t seed) {
  Case value = finding.value;
  value.notes = {fmt::format("{} on {}", finding.signature.str(), jit), finding.message,
                 fmt::format("Found by plumb fuzz --seed {} as case {}{}.", seed,
                             finding.cases_until_found, finding.minimised ? ", minimised" : "")};
  return value;
}

void write(FuzzReport& report, FuzzFinding& finding, const std::string& stem,
           const std::string& jit, const std::string& text) {
  const std::string path = stem + std::string(kCaseEnding);
  for (const auto& [file, contents] :
       {std::pair{path, print_case(annotated(finding, jit, report.seed))},
        std::pair{stem + ".txt", text}}) {
    if (const auto written = write_file(file, contents); !written) {
      report.harness_failures.push_back(written.error().str());
      return;
    }
  }
  finding.path = path;
}

}  // namespace

bool shows(const Case& value, jit::Jit& jit, Depth depth, const Signature& signature,
           Judge& judge) {
  const Outcome outcome = judge.judge(value, jit, depth);
  return is_finding(outcome.judgement) && outcome.judgement.signature == signature;
}

void write_findings(FuzzReport& report, JitList jits, const FuzzOptions& options) {
  namespace fs = std::filesystem;
  if (!options.out_directory.empty()) {
    std::error_code error;
    fs::create_directories(options.out_directory, error);
    if (error) {
      report.harness_failures.push_back(options.out_directory + ": " + error.message());
    }
  }
  std::set<std::string> taken;
  for (std::size_t i = 0; i < jits.size(); ++i) {
    for (FuzzFinding& finding : report.jits[i].findings) {
      finding.value = gen::generate(finding.case_seed, options.shape);
      std::string text;
      minimise_finding(finding, *jits[i], options, text);
      if (options.out_directory.empty()) continue;
      std::string name = finding.signature.str();
      if (!taken.insert(name).second) name += "." + report.jits[i].name;
      write(report, finding, (fs::path(options.out_directory) / name).string(), report.jits[i].name,
            text);
    }
  }
}

}  // namespace plumb::harness
