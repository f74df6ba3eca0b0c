// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/finding.h"
#include "harness/funnel.h"
#include "jit_under_test/jit.h"

// What check, replay and fuzz tell, as values. The writers (report_text.h, report_json.h, junit.h)
// read it and nothing else.
namespace plumb::reports {

// One case under one JIT.
struct CaseRow {
  std::string path;
  Verdict verdict = Verdict::kNotJudged;
  std::string reason{};                 // not applicable, undefined
  std::string detail{};                 // of these: what exactly, where
  std::vector<std::size_t> findings{};  // indices in JitReport::findings
};

struct JitReport {
  std::string name;
  std::string arch;
  std::uint64_t capabilities = 0;
  harness::Funnel funnel{};
  double rate = 0;  // compared per second; 0: not measured
  std::vector<Finding> findings{};
  std::vector<CaseRow> cases{};  // of a corpus, in its order; empty after fuzzing
};

// What is wrong with a case file itself, by the case: its expectation, a waiver of it.
struct CaseComplaint {
  std::string path;
  std::string message;
};

struct UnavailableJit {
  std::string name;
  std::string reason;
};

struct Report {
  std::string command;
  std::uint64_t seed = 0;
  double seconds = 0;
  std::vector<JitReport> jits{};
  std::vector<UnavailableJit> not_available{};  // that were named, too
  std::vector<CaseComplaint> unexpected{};      // the oracle contradicts .expect
  std::vector<CaseComplaint> stale{};           // waivers that match nothing any more
  std::vector<std::string> harness_failures{};  // where we are wrong ourselves
};

[[nodiscard]] JitReport make_report(const jit::JitInfo& info);

// A case of a corpus that was judged, with the findings that the judgement is.
void add_case(JitReport& report, const std::string& path, const Judgement& judgement,
              std::vector<Finding> findings);

// How often a finding of one signature under one waiver (or none) was seen under a JIT; a fuzz run
// has one Finding for all cases, a corpus one for each.
struct FindingCount {
  std::size_t fresh = 0;  // different signatures that no waiver covers
  std::size_t known = 0;  // different ones that a waiver covers
};
[[nodiscard]] FindingCount count_findings(const JitReport& report);
[[nodiscard]] std::size_t not_judged(const JitReport& report);

}  // namespace plumb::reports
