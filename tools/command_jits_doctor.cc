// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/printable.h"
#include "harness/doctor.h"
#include "jit_under_test/jit.h"
#include "tools/command_jits.h"
#include "tools/open_jits.h"

namespace plumb::tools {
namespace {

using Json = nlohmann::ordered_json;
using harness::Diagnosis;
using harness::DoctorExplanation;
using harness::DoctorStep;

constexpr std::size_t kMostValues = 6;  // of one field, in text

std::string values_text(const DoctorExplanation& explanation) {
  std::string text;
  for (std::size_t i = 0; i < std::min(explanation.values.size(), kMostValues); ++i) {
    text += (i == 0 ? "" : ", ") + explanation.values[i];
  }
  if (explanation.values.size() > kMostValues) text += ", ...";
  return text;
}

void print_step(const DoctorStep& step) {
  const Judgement& judgement = step.judgement;
  fmt::print("  {:<20} {}", step.name, verdict_name(judgement.verdict));
  if (judgement.verdict == Verdict::kConforms) {
    fmt::print(" ({} invariants hold, {} not applicable)\n", step.held, step.not_applicable);
    return;
  }
  fmt::print("{}{}\n", judgement.reason.empty() ? "" : ": ", printable(judgement.reason));
  for (const Violation& violation : judgement.violations) {
    if (violation.follows >= 0) continue;
    fmt::print("    {}: {}\n", violation.invariant, printable(violation.message));
  }
}

void print_text(const jit::JitInfo& info, const Diagnosis& diagnosis) {
  const auto cases = harness::doctor_cases();
  fmt::print("{}\n", printable(info.name));
  for (const DoctorStep& step : diagnosis.steps) print_step(step);
  if (diagnosis.is_healthy()) {
    const auto judged = std::ranges::count(diagnosis.steps, Verdict::kConforms,
                                           [](const DoctorStep& s) { return s.judgement.verdict; });
    fmt::print(
        "Conforms in {} of {} cases{}.\n", judged, cases.size(),
        static_cast<std::size_t>(judged) < cases.size() ? "; the others are not applicable" : "");
    for (const DoctorExplanation& word : diagnosis.unsaid) {
      fmt::print("  {} is not said; this fits what was seen: {}\n", word.field, values_text(word));
    }
    return;
  }
  const DoctorStep& last = diagnosis.steps.back();
  if (last.judgement.verdict == Verdict::kNotApplicable ||
      last.judgement.verdict == Verdict::kUndefined) {
    fmt::print("No case was judged.\n");
    return;
  }
  const auto wrong = std::ranges::find(cases, last.name, &harness::DoctorCase::name);
  fmt::print("The first wrong case needs: {}.\n", wrong->needs);
  if (diagnosis.explanations.empty()) {
    fmt::print("No other setting of one field explains it: look at the code that the JIT made.\n");
    return;
  }
  fmt::print("A setting that would explain what was seen:\n");
  for (const DoctorExplanation& field : diagnosis.explanations) {
    fmt::print("  {} is {}; with this the case conforms: {}\n", field.field, field.declared,
               values_text(field));
  }
}

Json explanations_json(const std::vector<DoctorExplanation>& explanations) {
  Json out = Json::array();
  for (const DoctorExplanation& one : explanations) {
    out.push_back({{"field", one.field}, {"declared", one.declared}, {"values", one.values}});
  }
  return out;
}

Json diagnosis_json(const jit::JitInfo& info, const Diagnosis& diagnosis) {
  Json cases = Json::array();
  for (const DoctorStep& step : diagnosis.steps) {
    Json violations = Json::array();
    for (const Violation& violation : step.judgement.violations) {
      violations.push_back({{"invariant", violation.invariant}, {"message", violation.message}});
    }
    cases.push_back({{"name", step.name},
                     {"verdict", verdict_name(step.judgement.verdict)},
                     {"reason", step.judgement.reason},
                     {"held", step.held},
                     {"not_applicable", step.not_applicable},
                     {"violations", std::move(violations)}});
  }
  return {{"name", info.name},
          {"healthy", diagnosis.is_healthy()},
          {"cases", std::move(cases)},
          {"explanations", explanations_json(diagnosis.explanations)},
          {"not_said", explanations_json(diagnosis.unsaid)}};
}

// Nothing wrong, but nothing judged either, is no pass.
int status_of(const Diagnosis& diagnosis) {
  if (diagnosis.is_healthy()) return kStatusConforms;
  const Verdict last = diagnosis.steps.back().judgement.verdict;
  const bool nobody_judged = last == Verdict::kNotJudged || last == Verdict::kNotApplicable ||
                             last == Verdict::kUndefined || last == Verdict::kPluginFailed;
  return nobody_judged ? kStatusHarnessFailed : kStatusFinding;
}

int examine(const std::string& name, const Session& session) {
  const auto jits = open_all_jits(session, name);
  if (!jits) return unusable(jits.error().str());
  if (jits->size() != 1) return unusable("jits test works for one JIT at a time");
  jit::Jit& jit = *jits->front();
  const Diagnosis diagnosis = harness::diagnose(jit);
  if (session.json) {
    fmt::print(
        "{}\n",
        diagnosis_json(jit.info(), diagnosis).dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_text(jit.info(), diagnosis);
  }
  return status_of(diagnosis);
}

}  // namespace

void add_jits_test_command(CLI::App& jits, Session& session) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = jits.add_subcommand(
      "test", "Ten tiny cases: which word of a JIT's description is wrong first");
  command->add_option("name", *name, "JIT name")->required();
  command->callback(
      [name, &session] { session.action = [name, &session] { return examine(*name, session); }; });
}

}  // namespace plumb::tools
