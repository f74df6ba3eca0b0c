// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/kernel_test_report.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/printable.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;
using harness::KernelTestOutcome;
using harness::KernelTestRow;
using Verdict = KernelTestOutcome::Verdict;
using Oracle = KernelTestOutcome::Oracle;

// One suite under one JIT.
struct Summary {
  std::size_t jit = 0;
  jit::KernelSuite suite = jit::KernelSuite::kTestBpf;
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::uint64_t not_applicable = 0;
  std::uint64_t not_finished = 0;
  std::uint64_t harness_failed = 0;
  std::uint64_t ran = 0;
  std::uint64_t oracle_agrees = 0;
  std::uint64_t oracle_undefined = 0;
  std::map<std::string, std::uint64_t> reasons;    // not applicable
  std::map<std::string, std::uint64_t> undefined;  // per the oracle
  std::vector<const KernelTestRow*> rows;
};

void count(const KernelTestRow& row, Summary& summary) {
  const KernelTestOutcome& outcome = row.outcome;
  switch (outcome.verdict) {
    case Verdict::kPassed:
      ++summary.passed;
      break;
    case Verdict::kFailed:
      ++summary.failed;
      break;
    case Verdict::kNotApplicable:
      ++summary.not_applicable;
      ++summary.reasons[outcome.reason];
      break;
    case Verdict::kNotFinished:
      ++summary.not_finished;
      break;
    case Verdict::kNotJudged:
    case Verdict::kHarnessFailed:
      ++summary.harness_failed;
      break;
  }
  if (outcome.ran) ++summary.ran;
  if (outcome.oracle == Oracle::kAgrees) ++summary.oracle_agrees;
  if (outcome.oracle == Oracle::kUndefined) {
    ++summary.oracle_undefined;
    ++summary.undefined[outcome.undefined_reason];
  }
  summary.rows.push_back(&row);
}

// Rows come JIT by JIT, suite by suite.
std::vector<Summary> summarise(const KernelTestReport& report) {
  std::vector<Summary> summaries;
  for (const KernelTestRow& row : report.rows) {
    if (summaries.empty() || summaries.back().jit != row.jit ||
        summaries.back().suite != row.suite) {
      summaries.push_back({});
      summaries.back().jit = row.jit;
      summaries.back().suite = row.suite;
    }
    count(row, summaries.back());
  }
  return summaries;
}

const std::string& jit_name(const KernelTestReport& report, std::size_t jit) {
  return report.subjects[jit].jit->info().name;
}

std::string test_name(const KernelTestReport& report, const KernelTestRow& row) {
  return report.subjects[row.jit].tests->name(row.suite, row.index);
}

std::string_view verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed:
      return "PASS";
    case Verdict::kFailed:
      return "FAIL";
    case Verdict::kNotApplicable:
      return "n/a";
    case Verdict::kNotFinished:
      return "not finished";
    case Verdict::kNotJudged:
      return "NOT JUDGED";
    case Verdict::kHarnessFailed:
      return "HARNESS FAILED";
  }
  return "";
}

bool is_our_failure(Verdict verdict) {
  return verdict == Verdict::kNotJudged || verdict == Verdict::kHarnessFailed;
}

// "#17 ALU_ADD_X: jited:1 PASS", as the kernel prints it.
std::string test_text(const KernelTestReport& report, const KernelTestRow& row) {
  const KernelTestOutcome& outcome = row.outcome;
  return fmt::format("  {}: #{} {} jited:{} {}{}{}\n", jit::kernel_suite_name(row.suite), row.index,
                     printable(test_name(report, row)), outcome.ran ? 1 : 0,
                     verdict_text(outcome.verdict), outcome.reason.empty() ? "" : ": ",
                     printable(outcome.reason));
}

std::string counts_text(std::string_view what, const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [reason, number] : counts) {
    text += fmt::format("    {} {:>5}  {}\n", what, number, printable(reason));
  }
  return text;
}

std::string summary_text(const KernelTestReport& report, const Summary& summary) {
  std::string text;
  for (const KernelTestRow* row : summary.rows) {
    const Verdict verdict = row->outcome.verdict;
    if (report.verbose || verdict == Verdict::kFailed || verdict == Verdict::kNotFinished ||
        is_our_failure(verdict)) {
      text += test_text(report, *row);
    }
  }
  text += fmt::format("  {}: Summary: {} PASSED, {} FAILED, [{}/{} JIT'ed], {} not applicable{}\n",
                      jit::kernel_suite_name(summary.suite), summary.passed,
                      summary.failed + summary.harness_failed, summary.ran,
                      summary.rows.size() - summary.not_applicable, summary.not_applicable,
                      summary.not_finished == 0
                          ? std::string()
                          : fmt::format(", {} not finished", summary.not_finished));
  text += counts_text("not applicable", summary.reasons);
  if (summary.oracle_agrees + summary.oracle_undefined > 0) {
    text += fmt::format(
        "    the oracle agrees with {}; for it, {} are undefined: only their result counts\n",
        summary.oracle_agrees, summary.oracle_undefined);
  }
  return text + counts_text("undefined     ", summary.undefined);
}

Json counts_json(const std::map<std::string, std::uint64_t>& counts) {
  Json out = Json::object();
  for (const auto& [reason, number] : counts) out[reason] = number;
  return out;
}

Json failures_json(const KernelTestReport& report, const Summary& summary) {
  Json failures = Json::array();
  for (const KernelTestRow* row : summary.rows) {
    const Verdict verdict = row->outcome.verdict;
    if (verdict != Verdict::kFailed && !is_our_failure(verdict)) continue;
    failures.push_back({{"id", row->index},
                        {"name", test_name(report, *row)},
                        {"harness_failed", is_our_failure(verdict)},
                        {"message", row->outcome.reason}});
  }
  return failures;
}

Json summary_json(const KernelTestReport& report, const Summary& summary) {
  return {{"suite", jit::kernel_suite_name(summary.suite)},
          {"passed", summary.passed},
          {"failed", summary.failed},
          {"harness_failed", summary.harness_failed},
          {"not_applicable", summary.not_applicable},
          {"not_finished", summary.not_finished},
          {"not_applicable_reasons", counts_json(summary.reasons)},
          {"jited", summary.ran},
          {"oracle_agrees", summary.oracle_agrees},
          {"oracle_undefined", summary.oracle_undefined},
          {"oracle_undefined_reasons", counts_json(summary.undefined)},
          {"failures", failures_json(report, summary)}};
}

}  // namespace

std::string kernel_tests_text(const KernelTestReport& report) {
  std::string text;
  const std::vector<Summary> summaries = summarise(report);
  for (std::size_t jit = 0; jit < report.subjects.size(); ++jit) {
    text += fmt::format("{}: lib/test_bpf.c of Linux {}\n", printable(jit_name(report, jit)),
                        printable(report.subjects[jit].tests->version()));
    for (const Summary& summary : summaries) {
      if (summary.jit == jit) text += summary_text(report, summary);
    }
  }
  for (const std::string& name : report.without) {
    text += fmt::format("{}: not applicable: not of a kernel tree with lib/test_bpf.c\n", name);
  }
  return text + fmt::format("{} tests in {:.1f} s\n", report.rows.size(), report.seconds);
}

std::string kernel_tests_json(const KernelTestReport& report) {
  Json jits = Json::array();
  for (std::size_t jit = 0; jit < report.subjects.size(); ++jit) {
    const auto& info = report.subjects[jit].jit->info();
    Json suites = Json::array();
    for (const Summary& summary : summarise(report)) {
      if (summary.jit == jit) suites.push_back(summary_json(report, summary));
    }
    jits.push_back({{"name", info.name},
                    {"arch", arch_name(info.arch)},
                    {"available", true},
                    {"reason", ""},
                    {"tests", report.subjects[jit].tests->version()},
                    {"suites", suites}});
  }
  for (const std::string& name : report.without) {
    jits.push_back({{"name", name},
                    {"available", false},
                    {"reason", "not of a kernel tree with lib/test_bpf.c"}});
  }
  const Json out{
      {"version", 1}, {"command", "test-bpf"}, {"seconds", report.seconds}, {"jits", jits}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> untested_jits(const KernelTestReport& report) {
  std::vector<bool> judged(report.subjects.size(), false);
  for (const KernelTestRow& row : report.rows) {
    const Verdict verdict = row.outcome.verdict;
    const bool nothing = verdict == Verdict::kNotApplicable || verdict == Verdict::kNotFinished;
    if (!nothing) judged[row.jit] = true;
  }
  std::vector<std::string> names;
  for (std::size_t jit = 0; jit < judged.size(); ++jit) {
    if (!judged[jit]) names.push_back(jit_name(report, jit));
  }
  return names;
}

KernelTestsEnd kernel_tests_end(const KernelTestReport& report) {
  bool failed = false;
  bool harness_failed = !untested_jits(report).empty();
  for (const KernelTestRow& row : report.rows) {
    failed |= row.outcome.verdict == Verdict::kFailed;
    harness_failed |= is_our_failure(row.outcome.verdict);
  }
  if (harness_failed) return KernelTestsEnd::kHarnessFailed;
  return failed ? KernelTestsEnd::kFailed : KernelTestsEnd::kPassed;
}

}  // namespace plumb::reports
