// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/jit_fuzzer.h"

#include <fmt/format.h>

#include <atomic>
#include <iterator>
#include <nlohmann/json.hpp>

#include "harness/funnel_json.h"
#include "harness/fuzz_input.h"
#include "harness/isolate.h"
#include "harness/minimize_isolated.h"
#include "oracle/oracle.h"

namespace plumb::fuzz {
namespace {

// One input in so many goes the long way, and every second of those with interrupts.
constexpr std::uint32_t kFullEvery = 32;
constexpr std::size_t kMinimizeAttempts = 4'000;
constexpr double kSecondsToJudge = 20;

std::string one_line(const nlohmann::json& object) {
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

Depth depth_for(std::span<const std::uint8_t> input) {
  std::uint32_t hash = 0x811c9dc5u;  // FNV-1a
  for (const std::uint8_t byte : input) hash = (hash ^ byte) * 0x01000193u;
  if ((hash >> 16) % kFullEvery != 0) return Depth::kFast;
  return (hash >> 24) % 2 == 0 ? Depth::kFull : Depth::kInterrupts;
}

JitFuzzer::JitFuzzer(Jits jits, std::vector<harness::NamedWaiver> waivers)
    : jits_(std::move(jits)), waivers_(std::move(waivers)), funnels_(jits_.size()) {}

Step JitFuzzer::run(std::span<const std::uint8_t> input) {
  const harness::FuzzInput read = harness::read_input(input);
  const Depth depth = depth_for(input);
  ++executions_;
  parsed_ += read.parsed;
  Step step;
  for (std::size_t i = 0; i < jits_.size(); ++i) {
    const Execution execution = oracle::run(read.value, jits_[i]->info().contract);
    const harness::Outcome outcome = judge_.judge(read.value, execution, *jits_[i], depth);
    funnels_[i].add(outcome, execution);
    if (outcome.judgement.verdict == Verdict::kPluginFailed) {
      step.plugin_failure =
          fmt::format("{}: {}", jits_[i]->info().name, harness::plugin_failure(outcome.judgement));
    }
    step.compared |= outcome.stage == harness::Stage::kCompared;
    if (!harness::is_finding(outcome.judgement)) continue;
    const Signature& signature = outcome.judgement.signature;
    if (!found_.emplace(i, signature.str()).second) continue;
    const harness::NamedWaiver* waiver =
        harness::find_waiver(waivers_, signature, jits_[i]->info().name);
    NewFinding finding{harness::finding_of(outcome.judgement)};
    finding.jit = i;
    finding.depth = depth;
    if (waiver != nullptr) finding.known = waiver->name;
    finding.cases_until_found = executions_;
    step.findings.push_back(std::move(finding));
  }
  return step;
}

Case JitFuzzer::annotated(std::span<const std::uint8_t> input, const NewFinding& finding) const {
  Case value = harness::read_input(input).value;
  annotate(value, finding, "");
  return value;
}

Case JitFuzzer::minimised(std::span<const std::uint8_t> input, const NewFinding& finding) const {
  harness::IsolatedMinimised small = harness::minimize_isolated(
      harness::read_input(input).value, *jits_[finding.jit], finding.signature, finding.verdict,
      {.depth = finding.depth, .max_attempts = kMinimizeAttempts, .interpreters = {}});
  annotate(small.result.value, finding, small.minimised ? ", minimised" : "");
  return std::move(small.result.value);
}

bool JitFuzzer::shows(const Case& value, const NewFinding& finding) const {
  const auto same =
      harness::run_isolated<bool>(kSecondsToJudge, [&](std::atomic<harness::Activity>& activity) {
        harness::Judge judge;
        judge.show_activity(&activity);
        return harness::shows(value, *jits_[finding.jit], finding.depth, finding.signature, judge);
      });
  return same && *same;
}

std::string JitFuzzer::origin_of(const NewFinding& finding) const {
  return fmt::format("{} on {}", finding.signature.str(), jits_[finding.jit]->info().name);
}

void JitFuzzer::annotate(Case& value, const NewFinding& finding, const char* how) const {
  value.notes = {
      origin_of(finding), finding.message,
      fmt::format("Found by libFuzzer after {} executions{}.", finding.cases_until_found, how)};
  value.waivers.clear();
  value.expectation = {};
}

std::string funnel_text(const JitFuzzer& fuzzer, double seconds) {
  std::string text = fmt::format("plumb: {} inputs, {} of them text of cases\n",
                                 fuzzer.executions(), fuzzer.parsed());
  for (std::size_t i = 0; i < fuzzer.jits().size(); ++i) {
    const harness::Funnel& funnel = fuzzer.funnel(i);
    const double rate = seconds > 0 ? static_cast<double>(funnel.counts.compared) / seconds : 0.0;
    text += fmt::format("plumb: funnel of {} ({:.0f} compared/s)\n", fuzzer.jits()[i]->info().name,
                        rate);
    for (const auto& [name, count] : harness::funnel_rows(funnel.counts)) {
      text += fmt::format("plumb:   {:28} {}\n", name, count);
    }
    for (const auto& [reason, count] : funnel.undefined) {
      text += fmt::format("plumb:   undefined: {:8} {}\n", count, reason);
    }
  }
  return text;
}

std::string funnel_lines(const JitFuzzer& fuzzer) {
  std::string text;
  for (std::size_t i = 0; i < fuzzer.jits().size(); ++i) {
    nlohmann::json line = harness::funnel_json(fuzzer.funnel(i));
    line["jit"] = fuzzer.jits()[i]->info().name;
    text += one_line(line);
  }
  return text;
}

std::string finding_line(const JitFuzzer& fuzzer, const NewFinding& finding) {
  return one_line({{"jit", fuzzer.jits()[finding.jit]->info().name},
                   {"finding", finding.signature.str()},
                   {"executions", finding.cases_until_found}});
}

}  // namespace plumb::fuzz
