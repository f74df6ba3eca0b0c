// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/finding.h"
#include "gen/generate.h"
#include "harness/check.h"
#include "harness/funnel.h"
#include "harness/judge.h"
#include "harness/waivers.h"

namespace plumb::harness {

// How a run stands, about ten times a second.
struct FuzzProgress {
  double seconds = 0;
  std::uint64_t generated = 0;
  std::uint64_t compared = 0;  // over all JITs
  std::size_t findings = 0;    // different ones that no waiver covers
  std::size_t known = 0;       // different ones that a waiver covers
};

struct FuzzOptions {
  std::uint64_t seed = 1;
  std::uint64_t runs = 0;  // cases; 0: no limit. One of runs and seconds must be given.
  double seconds = 0;      // 0: no limit
  unsigned jobs = 1;
  const gen::Shape* shape = nullptr;  // null: all shapes by weight; every JIT takes what it needs
  std::string out_directory;          // empty: findings are not written
  std::vector<NamedWaiver> waivers;
  std::uint64_t full_every = 64;  // every so many cases one at full depth; 0: none
  std::optional<Depth> depth{};   // of all cases, whatever full_every says
  std::size_t minimize_attempts = 20'000;
  double seconds_per_case = 10.0;  // under one JIT; longer is a hang
  Judge::MachineFactory make_machine = machine::make_machine;
  InterpreterList interpreters;  // asked for a second opinion; outlive the run
  std::function<void(const FuzzProgress&)> on_progress;
  // Asked about ten times a second. True: no new cases; what was found is minimised and reported.
  std::function<bool()> should_stop;
  // The report beside a finding's case, made in a child process.
  std::function<std::string(const Case&, const Trial&)> describe;
};

// A finding of a fuzz run, and how to have it again.
struct FuzzFinding : Finding {
  Case value{};  // minimised, unless that did not come to an end
  bool minimised = false;
  // gen::generate(case_seed, shape, capabilities of the JIT) is the case before minimising.
  std::uint64_t case_seed = 0;
  Depth depth = Depth::kFast;
};

struct JitFuzzReport {
  std::string name;
  Arch arch = Arch::kX86_64;
  Funnel funnel;
  double rate = 0;                       // compared cases per second
  std::vector<FuzzFinding> findings;     // in the order in which they were found
  std::vector<std::string> zero_stages;  // of the funnel, for what the JIT can do
};

struct FuzzReport {
  std::uint64_t seed = 0;
  double seconds = 0;  // of fuzzing, without minimising
  std::vector<JitFuzzReport> jits;
  std::vector<std::string> harness_failures;

  // 0 conforms, 1 a finding that no waiver covers, 3 the harness failed or a stage stayed empty.
  [[nodiscard]] int status() const;
};

// Generates, judges, and tells what it found. Each JIT gets `runs` cases that need nothing of what
// it lacks: its case n is gen::generate(nth_seed(seed, n), shape, its capabilities), whatever the
// number of jobs and the other JITs. Where a case needs nothing that one of them lacks, it is
// mostly the same for all. Cases run in child processes: one that kills or stops its process is a
// finding (or a failure of the harness), and the run goes on behind it, with the next JIT. A case
// that shows something new is written at once; the minimised one replaces it at the end.
[[nodiscard]] FuzzReport fuzz(JitList jits, const FuzzOptions& options);

}  // namespace plumb::harness
