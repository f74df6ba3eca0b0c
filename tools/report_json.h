// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/finding.h"
#include "harness/funnel.h"
#include "jit_under_test/jit.h"
#include "tools/session.h"

namespace plumb::tools {

// One finding of one JIT, as check, replay and fuzz report it.
struct FindingReport {
  std::string signature;
  std::string invariant;
  std::string known;  // the waiver's name, or empty
  std::string path;   // the case
  std::uint64_t cases_until_found = 0;
  std::uint64_t count = 1;  // cases that showed this signature
  std::string message;
  std::string second_opinion{};  // who stands alone; empty: not asked, or not applicable
};

struct JitReport {
  std::string name;
  std::string arch;
  std::uint64_t capabilities = 0;
  harness::Funnel funnel;
  double rate = 0;  // compared per second; 0: not measured
  std::vector<FindingReport> findings;
};

// What is wrong with a case file itself, by the case: its expectation, a waiver of it.
struct CaseComplaint {
  std::string path;
  std::string message;
};

// Common output of check, replay and fuzz (docs/command-line.md).
struct Report {
  std::string command;
  std::uint64_t seed = 0;
  double seconds = 0;
  std::vector<JitReport> jits;
  std::vector<CaseComplaint> unexpected{};      // the oracle contradicts .expect
  std::vector<CaseComplaint> stale{};           // waivers that match nothing any more
  std::vector<std::string> harness_failures{};  // where we are wrong ourselves
};

[[nodiscard]] JitReport make_report(const jit::JitInfo& info);
// known: the waiver's name, or empty.
void add_finding(JitReport& report, const Judgement& judgement, const std::string& path,
                 const std::string& known);

// To stdout, as text or JSON; what is wrong beside findings also goes to
// stderr.
void print_report(const Session& session, const Report& report);

}  // namespace plumb::tools
