// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/kernel_test_report.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

namespace plumb::tools {
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
void print_test(const KernelTestReport& report, const KernelTestRow& row) {
  const KernelTestOutcome& outcome = row.outcome;
  fmt::print("  {}: #{} {} jited:{} {}{}{}\n", jit::kernel_suite_name(row.suite), row.index,
             test_name(report, row), outcome.ran ? 1 : 0, verdict_text(outcome.verdict),
             outcome.reason.empty() ? "" : ": ", outcome.reason);
}

void print_counts(std::string_view what, const std::map<std::string, std::uint64_t>& counts) {
  for (const auto& [reason, number] : counts) {
    fmt::print("    {} {:>5}  {}\n", what, number, reason);
  }
}

void print_summary(const KernelTestReport& report, const Summary& summary) {
  for (const KernelTestRow* row : summary.rows) {
    const Verdict verdict = row->outcome.verdict;
    if (report.verbose || verdict == Verdict::kFailed || is_our_failure(verdict)) {
      print_test(report, *row);
    }
  }
  fmt::print("  {}: Summary: {} PASSED, {} FAILED, [{}/{} JIT'ed], {} not applicable\n",
             jit::kernel_suite_name(summary.suite), summary.passed,
             summary.failed + summary.harness_failed, summary.ran,
             summary.rows.size() - summary.not_applicable, summary.not_applicable);
  print_counts("not applicable", summary.reasons);
  if (summary.oracle_agrees + summary.oracle_undefined > 0) {
    fmt::print(
        "    the oracle agrees with {}; for it, {} are undefined: only their result counts\n",
        summary.oracle_agrees, summary.oracle_undefined);
  }
  print_counts("undefined     ", summary.undefined);
}

void print_text(const KernelTestReport& report) {
  const std::vector<Summary> summaries = summarise(report);
  for (std::size_t jit = 0; jit < report.subjects.size(); ++jit) {
    fmt::print("{}: lib/test_bpf.c of Linux {}\n", jit_name(report, jit),
               report.subjects[jit].tests->version());
    for (const Summary& summary : summaries) {
      if (summary.jit == jit) print_summary(report, summary);
    }
  }
  for (const std::string& name : report.without) {
    fmt::print("{}: not applicable: not of a kernel tree with lib/test_bpf.c\n", name);
  }
  fmt::print("{} tests in {:.1f} s\n", report.rows.size(), report.seconds);
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
          {"not_applicable_reasons", counts_json(summary.reasons)},
          {"jited", summary.ran},
          {"oracle_agrees", summary.oracle_agrees},
          {"oracle_undefined", summary.oracle_undefined},
          {"oracle_undefined_reasons", counts_json(summary.undefined)},
          {"failures", failures_json(report, summary)}};
}

void print_json(const KernelTestReport& report) {
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
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

void print_kernel_tests(const Session& session, const KernelTestReport& report) {
  if (session.json) {
    print_json(report);
  } else {
    print_text(report);
  }
}

int kernel_tests_status(const KernelTestReport& report) {
  bool failed = false;
  bool harness_failed = false;
  std::vector<bool> judged(report.subjects.size(), false);
  for (const KernelTestRow& row : report.rows) {
    if (row.outcome.verdict != Verdict::kNotApplicable) judged[row.jit] = true;
    failed |= row.outcome.verdict == Verdict::kFailed;
    harness_failed |= is_our_failure(row.outcome.verdict);
  }
  for (std::size_t jit = 0; jit < judged.size(); ++jit) {
    if (judged[jit]) continue;
    fmt::print(stderr, "plumb: {}: no test applies: nothing was tested\n", jit_name(report, jit));
    harness_failed = true;
  }
  if (harness_failed) return kStatusHarnessFailed;
  return failed ? kStatusFinding : kStatusConforms;
}

}  // namespace plumb::tools
