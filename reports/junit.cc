// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/junit.h"

#include <fmt/format.h>

#include <pugixml.hpp>
#include <sstream>

#include "core/printable.h"

namespace plumb::reports {
namespace {

// What became of a case: both empty: passed.
struct Result {
  std::string failure;
  std::string skipped;
};

Result result_of(const CaseRow& row, const JitReport& jit) {
  Result result;
  for (const std::size_t index : row.findings) {
    const Finding& finding = jit.findings[index];
    if (finding.known.empty() && result.failure.empty()) {
      result.failure = fmt::format("{}: {}", finding.signature.str(), finding.message);
    }
  }
  switch (row.verdict) {
    case Verdict::kNotJudged:
      result.failure = "not judged: the harness failed";
      break;
    case Verdict::kPluginFailed:
      result.failure = "not judged: the plugin failed: " + row.reason;
      break;
    case Verdict::kNotApplicable:
    case Verdict::kUndefined:
      result.skipped = fmt::format("{}: {}{}{}", verdict_name(row.verdict), row.reason,
                                   row.detail.empty() ? "" : ": ", row.detail);
      break;
    case Verdict::kConforms:
    case Verdict::kViolation:
    case Verdict::kRefused:
    case Verdict::kCrash:
    case Verdict::kSecondOpinion:
      break;
  }
  return result;
}

class Suite {
 public:
  Suite(pugi::xml_node root, std::string name)
      : node_(root.append_child("testsuite")), name_(std::move(name)) {
    node_.append_attribute("name") = name_.c_str();
  }

  void add(const std::string& name, const Result& result) {
    pugi::xml_node node = node_.append_child("testcase");
    node.append_attribute("classname") = name_.c_str();
    node.append_attribute("name") = name.c_str();
    ++tests_;
    if (!result.failure.empty()) {
      node.append_child("failure").append_attribute("message") = printable(result.failure).c_str();
      ++failures_;
    } else if (!result.skipped.empty()) {
      node.append_child("skipped").append_attribute("message") = printable(result.skipped).c_str();
      ++skipped_;
    }
  }

  void finish() {
    node_.append_attribute("tests") = tests_;
    node_.append_attribute("failures") = failures_;
    node_.append_attribute("skipped") = skipped_;
  }

 private:
  pugi::xml_node node_;
  std::string name_;
  int tests_ = 0;
  int failures_ = 0;
  int skipped_ = 0;
};

void add_complaints(const Report& report, pugi::xml_node root) {
  if (report.unexpected.empty() && report.stale.empty() && report.harness_failures.empty()) return;
  Suite corpus(root, "corpus");
  for (const auto* complaints : {&report.unexpected, &report.stale}) {
    for (const CaseComplaint& complaint : *complaints) {
      corpus.add(complaint.path, {.failure = complaint.message, .skipped = {}});
    }
  }
  for (const std::string& failure : report.harness_failures) {
    corpus.add("harness", {.failure = "the harness failed: " + failure, .skipped = {}});
  }
  corpus.finish();
}

}  // namespace

std::string junit_xml(const Report& report) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("testsuites");
  for (const JitReport& jit : report.jits) {
    Suite suite(root, printable(jit.name));
    for (const CaseRow& row : jit.cases) suite.add(row.path, result_of(row, jit));
    suite.finish();
  }
  add_complaints(report, root);
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

}  // namespace plumb::reports
