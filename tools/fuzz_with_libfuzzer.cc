// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/fuzz_with_libfuzzer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "harness/artefacts.h"
#include "harness/judge.h"
#include "harness/triage.h"
#include "tools/print_report.h"

namespace plumb::tools {
namespace {

// Each costs a start of the target per JIT; the others are counted.
constexpr std::size_t kMostLookedAt = 16;

void add_findings(const harness::Triage& triage, const LibfuzzerRun& run,
                  std::vector<reports::JitReport>& jits) {
  for (const harness::TriageRow& row : triage.rows) {
    for (reports::JitReport& jit : jits) {
      if (std::ranges::find(row.jits, jit.name) == row.jits.end()) continue;
      const auto found = run.found_after.find({jit.name, row.signature.str()});
      jit.findings.push_back(row);
      jit.findings.back().cases_until_found = found == run.found_after.end() ? 0 : found->second;
    }
  }
}

// The artefacts of this run that kill nothing under the plugins of this build, or could not even be
// read here. They killed the target: another finding, known or not, does not explain that.
std::vector<Artefact> harmless_here(const harness::Triage& triage,
                                    const std::vector<harness::NamedCase>& cases,
                                    const LibfuzzerRun& run) {
  std::vector<Artefact> harmless;
  for (const Artefact& artefact : run.artefacts) {
    const auto at = std::ranges::find(cases, artefact.path, &harness::NamedCase::path);
    const auto index = static_cast<std::size_t>(at - cases.begin());
    if (at == cases.end() || std::ranges::find(triage.harmless, index) != triage.harmless.end()) {
      harmless.push_back(artefact);
    }
  }
  return harmless;
}

// What only the target sees: a sanitizer's report, memory, time. Which of its JITs it was is tried
// with each alone.
class OnlyInTheTarget {
 public:
  OnlyInTheTarget(const LibfuzzerOptions& engine, harness::JitList jits,
                  const std::vector<harness::NamedWaiver>& waivers,
                  std::vector<reports::JitReport>& reports)
      : engine_(engine), jits_(jits), waivers_(waivers), reports_(reports) {}

  void add(const std::vector<Artefact>& artefacts) {
    for (std::size_t i = 0; i < artefacts.size(); ++i) {
      bool reported = false;
      for (std::size_t j = 0; j < jits_.size() && i < kMostLookedAt; ++j) {
        if (target_name(jits_[j]->info()) != artefacts[i].target) continue;
        const auto words = dies_of(jits_[j]->info(), artefacts[i].path, engine_);
        if (words) add(j, artefacts[i], *words);
        reported |= words.has_value();
      }
      if (!reported) add_unclear(artefacts[i], i < kMostLookedAt);
    }
  }

 private:
  void add_unclear(const Artefact& artefact, bool tried) {
    const auto jit = std::ranges::find_if(
        jits_, [&](const auto& other) { return target_name(other->info()) == artefact.target; });
    if (jit == jits_.end()) return;
    add(static_cast<std::size_t>(jit - jits_.begin()), artefact,
        tried ? "alone, under one JIT at a time, the target survives it: see " + artefact.target +
                    ".log"
              : "not looked at one by one: there are too many");
  }

  // One finding for all that a JIT dies of with the same words.
  void add(std::size_t jit, const Artefact& artefact, const std::string& words) {
    std::vector<Finding>& findings = reports_[jit].findings;
    const auto [at, is_new] = index_.try_emplace({jit, words}, findings.size());
    if (!is_new) {
      ++findings[at->second].count;
      return;
    }
    const jit::JitInfo& info = jits_[jit]->info();
    const Signature signature =
        harness::death_judgement(info, harness::Activity::kCompiling, words).signature;
    const harness::NamedWaiver* waiver = harness::find_waiver(waivers_, signature, info.name);
    findings.push_back(
        {.signature = signature,
         .verdict = Verdict::kCrash,
         .message = "only under the sanitizers and limits of the fuzz target: " + words,
         .known = waiver == nullptr ? "" : waiver->name,
         .path = artefact.path});
  }

  const LibfuzzerOptions& engine_;
  harness::JitList jits_;
  const std::vector<harness::NamedWaiver>& waivers_;
  std::vector<reports::JitReport>& reports_;                          // by JIT
  std::map<std::pair<std::size_t, std::string>, std::size_t> index_;  // JIT, words -> finding
};

int status_of(const reports::Report& report, bool empty) {
  if (!report.harness_failures.empty()) return kStatusHarnessFailed;
  for (const reports::JitReport& jit : report.jits) {
    const auto is_new = [](const Finding& finding) { return finding.known.empty(); };
    if (std::ranges::any_of(jit.findings, is_new)) return kStatusFinding;
  }
  return empty ? kStatusHarnessFailed : kStatusConforms;
}

}  // namespace

int fuzz_with_libfuzzer(const LibfuzzerOptions& engine, const Session& session,
                        harness::JitList jits, const std::vector<harness::NamedWaiver>& waivers,
                        const HowToTell& how) {
  auto run = run_libfuzzer(jits, engine);
  how.on_fuzzed();
  if (!run) return unusable(run.error().str());
  const auto artefacts = harness::read_artefacts(std::vector<std::string>{engine.out});
  if (!artefacts) return unusable(artefacts.error().str());
  for (const auto* lines : {&artefacts->passed_over, &artefacts->notes}) {
    for (const std::string& line : *lines) fmt::print(stderr, "plumb: {}\n", line);
  }
  harness::CheckOptions check;
  check.waivers = waivers;
  check.jobs = engine.jobs;
  const harness::Triage triage = harness::triage(artefacts->cases, jits, check);
  reports::Report report{.command = "fuzz",
                         .seed = engine.seed,
                         .seconds = run->seconds,
                         .jits = run->jits,
                         .harness_failures = run->failures};
  std::ranges::copy(triage.harness_failures, std::back_inserter(report.harness_failures));
  add_findings(triage, *run, report.jits);
  OnlyInTheTarget(engine, jits, waivers, report.jits)
      .add(harmless_here(triage, artefacts->cases, *run));
  print_report(session, report, how.verbose);
  bool empty = false;
  for (const reports::JitReport& jit : report.jits) {
    empty |= complain_about_zero_stages(
        jit.name, harness::zero_stages(jit.funnel.counts, {.capabilities = jit.capabilities}));
  }
  return status_of(report, empty);
}

}  // namespace plumb::tools
