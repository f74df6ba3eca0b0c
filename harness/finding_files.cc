// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/finding_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/case_text.h"
#include "core/codec.h"
#include "harness/corpus.h"
#include "harness/isolate.h"
#include "harness/minimize_isolated.h"

namespace plumb::harness {

// What a child says about a finding.
struct Described {
  std::string message;
  std::string report;
};

}  // namespace plumb::harness

template <>
struct plumb::Members<plumb::harness::Described> {
  static constexpr std::tuple value{&plumb::harness::Described::message,
                                    &plumb::harness::Described::report};
};

namespace plumb::harness {
namespace {

constexpr double kSecondsToDescribe = 20.0;

std::string plain_report(const Judgement& judgement) {
  std::string text;
  for (const Violation& violation : judgement.violations) {
    text += fmt::format("{} ({}): {}\n", violation.invariant, violation.role, violation.message);
  }
  return text;
}

Described describe(jit::Jit& jit, const FuzzFinding& finding, const FuzzOptions& options) {
  Judge judge(options.make_machine);
  judge.ask(options.interpreters);
  judge.know(options.waivers);
  const Trial trial = judge.examine(finding.value, jit, finding.depth);
  Described described{.message = finding.message, .report = {}};
  if (!trial.judgement.violations.empty()) {
    described.message = trial.judgement.violations[0].message;
  }
  described.report = options.describe && trial.image ? options.describe(finding.value, trial)
                                                     : plain_report(trial.judgement);
  return described;
}

// In a child: making the report runs the JIT and the emulator again. The message alone where that
// does not come to an end.
Described describe_isolated(jit::Jit& jit, const FuzzFinding& finding, const FuzzOptions& options) {
  const auto described = run_isolated<Described>(
      kSecondsToDescribe, [&](std::atomic<Activity>&) { return describe(jit, finding, options); });
  if (!described) return {.message = finding.message, .report = finding.message + "\n"};
  return *described;
}

// Returns the report.
std::string minimise_finding(FuzzFinding& finding, jit::Jit& jit, const FuzzOptions& options) {
  const IsolatedMinimised small =
      minimize_isolated(finding.value, jit, finding.signature, finding.verdict,
                        {.depth = finding.depth,
                         .max_attempts = options.minimize_attempts,
                         .seconds_per_case = options.seconds_per_case,
                         .make_machine = options.make_machine,
                         .interpreters = options.interpreters,
                         .waivers = options.waivers});
  finding.value = small.result.value;
  finding.minimised = small.minimised;
  if (!small.alone) finding.message += " (only behind other cases: alone, the case shows nothing)";
  if (finding.verdict == Verdict::kCrash || !small.minimised) return finding.message + "\n";
  Described described = describe_isolated(jit, finding, options);
  finding.message = std::move(described.message);
  return std::move(described.report);
}

// The case file tells where it comes from.
Case annotated(const FuzzFinding& finding, const std::string& jit, std::uint64_t seed) {
  Case value = finding.value;
  value.notes = {fmt::format("{} on {}", finding.signature.str(), jit), finding.message,
                 fmt::format("Found by plumb fuzz --seed {} as case {}{}.", seed,
                             finding.cases_until_found, finding.minimised ? ", minimised" : "")};
  return value;
}

// Path without ending. What JITs of one family and architecture find may have one signature; the
// name does not depend on which of them was the first to find it.
std::string stem_of(JitList jits, std::size_t jit, const Signature& signature,
                    const FuzzOptions& options) {
  const jit::JitInfo& info = jits[jit]->info();
  const bool first = std::ranges::none_of(jits.first(jit), [&](const auto& other) {
    return other->info().family == info.family && other->info().arch == info.arch;
  });
  const std::string name = signature.str() + (first ? "" : "." + info.name);
  return (std::filesystem::path(options.out_directory) / name).string();
}

bool write(FuzzReport& report, const std::string& path, const std::string& contents) {
  const auto written = write_file(path, contents);
  if (!written) add_failure(report, written.error().str());
  return written.has_value();
}

void write_case(FuzzReport& report, const std::string& jit, const std::string& stem,
                FuzzFinding& finding) {
  const std::string path = stem + std::string(kCaseEnding);
  if (write(report, path, print_case(annotated(finding, jit, report.seed)))) finding.path = path;
}

}  // namespace

void add_failure(FuzzReport& report, std::string failure) {
  auto& failures = report.harness_failures;
  if (std::ranges::find(failures, failure) == failures.end()) {
    failures.push_back(std::move(failure));
  }
}

void make_findings_directory(FuzzReport& report, const FuzzOptions& options) {
  if (options.out_directory.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(options.out_directory, error);
  if (error) add_failure(report, options.out_directory + ": " + error.message());
}

void write_at_once(FuzzReport& report, JitList jits, std::size_t jit, FuzzFinding& finding,
                   const FuzzOptions& options) {
  if (options.out_directory.empty()) return;
  write_case(report, report.jits[jit].name, stem_of(jits, jit, finding.signature, options),
             finding);
}

void write_findings(FuzzReport& report, JitList jits, const FuzzOptions& options) {
  for (std::size_t i = 0; i < jits.size(); ++i) {
    for (FuzzFinding& finding : report.jits[i].findings) {
      const std::string text = minimise_finding(finding, *jits[i], options);
      if (options.out_directory.empty()) continue;
      const std::string stem = stem_of(jits, i, finding.signature, options);
      write_case(report, report.jits[i].name, stem, finding);
      write(report, stem + ".txt", text);
    }
  }
}

}  // namespace plumb::harness
