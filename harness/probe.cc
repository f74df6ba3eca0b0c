// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "harness/fuzz_driver.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kSeed = 1;

// The step at which the doctor stopped, and the words that would explain it.
std::string describe(const Diagnosis& diagnosis) {
  if (diagnosis.steps.empty()) return "no case was tried";
  const DoctorStep& step = diagnosis.steps.back();
  if (step.judgement.verdict == Verdict::kNotApplicable ||
      step.judgement.verdict == Verdict::kUndefined) {
    return fmt::format("none of {} tiny cases could be judged: {}", diagnosis.steps.size(),
                       step.judgement.reason);
  }
  const auto& violations = step.judgement.violations;
  std::string text = fmt::format(
      "the case {} does not conform: {}", step.name,
      violations.empty()
          ? fmt::format("{} {}", verdict_name(step.judgement.verdict), step.judgement.reason)
          : fmt::format("{}: {}", violations.front().invariant, violations.front().message));
  for (const DoctorExplanation& word : diagnosis.explanations) {
    text += fmt::format("; {} is {}, and with {} it conforms", word.field, word.declared,
                        fmt::join(word.values, " or "));
  }
  return text;
}

}  // namespace

bool Probe::holds() const {
  return diagnosis.is_healthy() && compared > 0 && findings.empty() && failures.empty();
}

std::vector<std::string> Probe::complaints() const {
  std::vector<std::string> lines;
  if (!diagnosis.is_healthy()) lines.push_back(describe(diagnosis));
  if (compared == 0) {
    lines.push_back(fmt::format("none of {} generated cases could be compared", kProbeCases));
  }
  for (const Finding& finding : findings) {
    lines.push_back(fmt::format("{} in {} of {} generated cases: {}", finding.signature.str(),
                                finding.count, kProbeCases, finding.message));
  }
  lines.insert(lines.end(), failures.begin(), failures.end());
  return lines;
}

Probe probe(const std::unique_ptr<jit::Jit>& jit, std::span<const NamedWaiver> waivers,
            unsigned jobs) {
  Probe out;
  out.diagnosis = diagnose(*jit);
  FuzzOptions options;
  options.seed = kSeed;
  options.runs = kProbeCases;
  options.jobs = jobs;
  options.full_every = 2;
  options.waivers.assign(waivers.begin(), waivers.end());
  FuzzReport fuzzed = fuzz(std::span(&jit, 1), options);
  const JitFuzzReport& report = fuzzed.jits.front();
  out.compared = report.funnel.counts.compared;
  for (const FuzzFinding& finding : report.findings) {
    if (finding.known.empty()) out.findings.push_back(finding);
  }
  out.failures = std::move(fuzzed.harness_failures);
  return out;
}

}  // namespace plumb::harness
