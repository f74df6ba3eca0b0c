// SPDX-License-Identifier: GPL-2.0-or-later
//
// What check, replay and fuzz print, from values made by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/capability.h"
#include "invariants/invariants.h"
#include "reports/funnel_text.h"
#include "reports/junit.h"
#include "reports/report_json.h"
#include "reports/report_text.h"

namespace plumb::reports {
namespace {

using harness::Outcome;
using harness::Stage;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

Outcome outcome(Verdict verdict, Stage stage, std::string reason = {}) {
  Outcome out;
  out.judgement.verdict = verdict;
  out.judgement.reason = std::move(reason);
  out.stage = stage;
  return out;
}

JitReport report_of(std::string name) {
  JitReport jit;
  jit.name = std::move(name);
  jit.arch = "x86_64";
  jit.capabilities = capability_bit(Capability::kCallSubprograms);
  return jit;
}

void add(JitReport& jit, const std::string& path, const Outcome& out,
         std::vector<Finding> findings = {}) {
  jit.funnel.add(out, Execution{});
  add_case(jit, path, out.judgement, std::move(findings));
}

Finding finding(std::string known = {}) {
  Finding out;
  out.signature = {"same-result", "fake", "x86_64", "main"};
  out.message = "returns 8, the oracle 7";
  out.known = std::move(known);
  return out;
}

// Answers that say the same about every invariant.
Outcome compared(RowAnswer answer) {
  Outcome out = outcome(Verdict::kConforms, Stage::kCompared);
  out.judgement.answers.assign(invariants::invariant_table().size(), answer);
  return out;
}

Report report_with(std::size_t jits, std::string command = "check") {
  Report report;
  report.command = std::move(command);
  for (std::size_t i = 0; i < jits; ++i) {
    report.jits.push_back(report_of("fake-" + std::to_string(i + 1)));
    add(report.jits.back(), "a.bpf", compared({.kind = RowAnswer::Kind::kHeld}));
  }
  return report;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(ReportText, SaysWhatBecameOfTheCasesOfOneJit) {
  Report report = report_with(1);
  JitReport& jit = report.jits[0];
  add(jit, "b.bpf", outcome(Verdict::kNotApplicable, Stage::kDefined, "the JIT lacks v4"));
  add(jit, "c.bpf", outcome(Verdict::kUndefined, Stage::kGenerated, "division by zero"));
  EXPECT_EQ(report_text(report, {}),
            "fake-1: conforms over 1 compared cases\n"
            "  not applicable                       1  the JIT lacks v4\n"
            "  undefined                            1  division by zero\n");
}

TEST(ReportText, NeverConformsOverNothing) {
  for (const std::size_t jits : {std::size_t{1}, kFewJits + 1}) {
    Report report = report_with(jits - 1);
    report.jits.push_back(report_of("nothing"));
    add(report.jits.back(), "a.bpf", outcome(Verdict::kNotApplicable, Stage::kDefined, "why"));
    for (const bool verbose : {false, true}) {
      const std::string text = report_text(report, {.verbose = verbose});
      EXPECT_THAT(text, Not(HasSubstr("over 0")));
      EXPECT_THAT(text, Not(testing::ContainsRegex("nothing *:? *conforms")));
      EXPECT_THAT(text, testing::ContainsRegex("none of 1 case was compared|not compared"));
    }
  }
}

TEST(ReportText, NeverPassesWhatNobodyJudged) {
  Report report = report_with(1);
  add_case(report.jits[0], "b.bpf", Judgement{}, {});
  EXPECT_THAT(report_text(report, {}), HasSubstr("fake-1: 1 not judged, over 1 compared cases\n"));
  EXPECT_THAT(junit_xml(report), HasSubstr("failures=\"1\""));
  EXPECT_EQ(json::parse(report_json(report))["jits"][0]["not_judged"], 1);
}

TEST(ReportText, EndsInATableForManyJits) {
  Report report = report_with(5);
  add(report.jits[1], "b.bpf", outcome(Verdict::kViolation, Stage::kCompared), {finding()});
  add(report.jits[2], "b.bpf", outcome(Verdict::kViolation, Stage::kCompared), {finding("w")});
  add(report.jits[3], "b.bpf", outcome(Verdict::kNotApplicable, Stage::kDefined, "lacks v4"));
  EXPECT_EQ(report_text(report, {}),
            "  not applicable                       1  lacks v4\n"
            "\n"
            "finding same-result.fake.x86_64.main on fake-2\n"
            "  returns 8, the oracle 7\n"
            "  case: b.bpf\n"
            "known findings\n"
            "  w                                                        fake-3\n"
            "\n"
            "JIT     verdict            ran  compared        of     n/a undefined   new known\n"
            "fake-1  conforms             1         1         1       0         0     0     0\n"
            "fake-2  1 finding            2         2         2       0         0     1     0\n"
            "fake-3  known only           2         2         2       0         0     0     1\n"
            "fake-4  conforms             1         1         2       1         0     0     0\n"
            "fake-5  conforms             1         1         1       0         0     0     0\n");
}

TEST(ReportText, ListsAFindingOnceHoweverManyCasesAndJitsShowIt) {
  Report report = report_with(40);
  for (JitReport& jit : report.jits) {
    for (int i = 0; i < 30; ++i) {
      add(jit, "case-" + std::to_string(i) + ".bpf", outcome(Verdict::kViolation, Stage::kCompared),
          {finding()});
    }
  }
  const std::string text = report_text(report, {});
  EXPECT_LE(lines_in(text), 40u + 10u);
  EXPECT_THAT(text, HasSubstr("on fake-1, fake-2, fake-3 and 37 more\n"));
  EXPECT_THAT(text, HasSubstr("  and 25 more cases\n"));
}

TEST(ReportText, TellsEverythingWhenAskedTo) {
  Report report = report_with(5);
  const std::string text = report_text(report, {.verbose = true});
  EXPECT_THAT(text, HasSubstr("fake-5: conforms over 1 compared cases\n  generated"));
  EXPECT_THAT(text, HasSubstr("  conforms       a.bpf\n"));
  EXPECT_THAT(text, HasSubstr("  invariant     "));
}

TEST(ReportText, FuzzingFewJitsShowsTheFunnelAndWhatAppliedToNoCase) {
  Report report = report_with(1, "fuzz");
  report.jits[0].rate = 12;
  auto& counts = report.jits[0].funnel.invariants;
  counts[2] = {};
  counts[2].not_applicable[static_cast<std::size_t>(NotApplicableReason::kNoCalls)] = 1;
  const std::string text = report_text(report, {});
  EXPECT_THAT(text, HasSubstr("  generated                            1  100.0 %\n"));
  EXPECT_THAT(text, HasSubstr("  with_tail_call                     n/a\n"));
  EXPECT_THAT(text, HasSubstr("  compared                            12  per second\n"));
  EXPECT_THAT(text, HasSubstr("no case for invariant " +
                              std::string(invariants::invariant_table()[2].name) +
                              ": no function is called\n"));
}

TEST(ReportText, IsColouredOnlyWhenToldTo) {
  const Report report = report_with(5);
  EXPECT_THAT(report_text(report, {}), Not(HasSubstr("\033")));
  EXPECT_THAT(report_text(report, {.colour = true}), HasSubstr("\033[32mconforms\033[0m  "));
}

TEST(ReportText, EscapesWhatAJitSays) {
  Report report = report_with(1);
  JitReport jit = report.jits[0];
  jit.name = "evil\033[2J";
  add(jit, "b.bpf", outcome(Verdict::kNotApplicable, Stage::kDefined, "two\nlines\033]0;"));
  Finding crash = finding();
  crash.message = "\xff\r";
  add(jit, "c.bpf", outcome(Verdict::kCrash, Stage::kCompiled), {crash});
  report.jits = {jit};
  report.harness_failures = {"a\033b"};
  report.unexpected = {{"d.bpf", "x\ny"}};
  for (const std::size_t jits : {std::size_t{0}, std::size_t{4}}) {
    for (std::size_t i = 0; i < jits; ++i) report.jits.push_back(jit);
    const std::string text =
        report_text(report, {.verbose = jits == 0}) + complaints_text(report) + junit_xml(report);
    EXPECT_THAT(text, Not(HasSubstr("\033")));
    EXPECT_THAT(text, Not(HasSubstr("\r")));
    EXPECT_THAT(text, Not(HasSubstr("two\nlines")));
    EXPECT_THAT(text, HasSubstr("two\\nlines\\x1b]0;"));
    EXPECT_THAT(text, HasSubstr("\\xff\\x0d"));
    EXPECT_THAT(text, HasSubstr("a\\x1bb"));
  }
}

TEST(ReportText, FitsATerminalOf120Columns) {
  Report report = report_with(4);
  for (JitReport& jit : report.jits) {
    jit.name = "linux-6.12-x86_64:exceptions--" + jit.name;
    jit.rate = 12345;
    jit.funnel.counts.generated = jit.funnel.counts.compared = 123'456'789;
  }
  std::istringstream lines(report_text(report, {.verbose = true}));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(FunnelText, ShowsTheTableOfInvariants) {
  using Kind = RowAnswer::Kind;
  harness::Funnel funnel;
  funnel.add(compared({.kind = Kind::kHeld}), Execution{});
  for (const auto reason :
       {NotApplicableReason::kNoCalls, NotApplicableReason::kDepth, NotApplicableReason::kDepth}) {
    funnel.add(compared({.kind = Kind::kNotApplicable, .reason = reason}), Execution{});
  }
  funnel.add(compared({.kind = Kind::kViolated}), Execution{});
  const std::string text = invariants_text(funnel);
  EXPECT_THAT(text, testing::StartsWith("  invariant                                 held  "
                                        "violated       n/a  because\n"));
  const std::string name(invariants::invariant_table()[0].name);
  EXPECT_THAT(text, HasSubstr("  " + name + std::string(36 - name.size(), ' ') +
                              "         1         1         3  needs a deeper run (2), "
                              "no function is called (1)\n"));
  EXPECT_EQ(invariants_text({}), "");
}

TEST(ReportJson, KeepsEveryFieldOfItsContract) {
  Report report = report_with(1);
  JitReport& jit = report.jits[0];
  add(jit, "b.bpf", outcome(Verdict::kUndefined, Stage::kGenerated, "why"));
  add(jit, "c.bpf", outcome(Verdict::kNotApplicable, Stage::kDefined, "because"));
  add(jit, "d.bpf",
      compared({.kind = RowAnswer::Kind::kNotApplicable, .reason = NotApplicableReason::kDepth}));
  add(jit, "e.bpf", outcome(Verdict::kViolation, Stage::kCompared), {finding("w")});
  report.unexpected = {{"f.bpf", "m"}};
  report.stale = {{"g.bpf", "n"}};
  report.harness_failures = {"o"};
  const json out = json::parse(report_json(report));
  for (const char* name : {"version", "command", "seed", "seconds", "jits", "unexpected",
                           "stale_waivers", "harness_failures"}) {
    EXPECT_TRUE(out.contains(name)) << name;
  }
  const json& seen = out["jits"][0];
  for (const char* name : {"name", "arch", "available", "reason", "funnel", "rate", "findings",
                           "undefined", "no_opinion"}) {
    EXPECT_TRUE(seen.contains(name)) << name;
  }
  for (const auto& [name, count] : harness::funnel_rows({})) {
    EXPECT_TRUE(seen["funnel"].contains(std::string(name))) << name;
  }
  for (const char* name : {"signature", "invariant", "known", "case", "cases_until_found", "count",
                           "message", "second_opinion"}) {
    EXPECT_TRUE(seen["findings"][0].contains(name)) << name;
  }
  EXPECT_EQ(seen["findings"][0]["signature"], "same-result.fake.x86_64.main");
  EXPECT_EQ(seen["findings"][0]["known"], "w");
  EXPECT_EQ(seen["undefined_reasons"],
            json::parse(R"([{"reason": "why", "count": 1, "blind_spot": false}])"));
  EXPECT_EQ(seen["not_applicable_reasons"], json::parse(R"([{"reason": "because", "count": 1}])"));
  ASSERT_EQ(seen["invariants"].size(), invariants::invariant_table().size());
  EXPECT_EQ(seen["invariants"][0],
            (json{{"name", invariants::invariant_table()[0].name},
                  {"held", 1},
                  {"violated", 0},
                  {"not_applicable", {{{"reason", "needs a deeper run"}, {"count", 1}}}}}));
}

TEST(Junit, CountsFailuresAndSkippedPerSuite) {
  Report report;
  report.jits = {report_of("a"), report_of("b")};
  add(report.jits[0], "one.bpf", outcome(Verdict::kConforms, Stage::kCompared));
  Finding odd = finding();
  odd.message = "x < y & \"z\"";
  add(report.jits[0], "two.bpf", outcome(Verdict::kViolation, Stage::kCompared), {odd});
  add(report.jits[0], "three.bpf", outcome(Verdict::kViolation, Stage::kCompared), {finding("w")});
  add(report.jits[1], "one.bpf", outcome(Verdict::kNotApplicable, Stage::kDefined, "v4"));
  report.stale = {{"two.bpf", "matches nothing"}};
  EXPECT_EQ(junit_xml(report),
            "<?xml version=\"1.0\"?>\n"
            "<testsuites>\n"
            "  <testsuite name=\"a\" tests=\"3\" failures=\"1\" skipped=\"0\">\n"
            "    <testcase classname=\"a\" name=\"one.bpf\" />\n"
            "    <testcase classname=\"a\" name=\"two.bpf\">\n"
            "      <failure message=\"same-result.fake.x86_64.main: x &lt; y &amp; "
            "&quot;z&quot;\" />\n"
            "    </testcase>\n"
            "    <testcase classname=\"a\" name=\"three.bpf\" />\n"
            "  </testsuite>\n"
            "  <testsuite name=\"b\" tests=\"1\" failures=\"0\" skipped=\"1\">\n"
            "    <testcase classname=\"b\" name=\"one.bpf\">\n"
            "      <skipped message=\"not applicable: v4\" />\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "  <testsuite name=\"corpus\" tests=\"1\" failures=\"1\" skipped=\"0\">\n"
            "    <testcase classname=\"corpus\" name=\"two.bpf\">\n"
            "      <failure message=\"matches nothing\" />\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "</testsuites>\n");
}

}  // namespace
}  // namespace plumb::reports
