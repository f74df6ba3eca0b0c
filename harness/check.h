// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/finding.h"
#include "core/machine_run.h"
#include "harness/corpus.h"
#include "harness/judge.h"
#include "harness/second_opinion.h"
#include "harness/waivers.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {

using JitList = std::span<const std::unique_ptr<jit::Jit>>;

struct NamedCase {
  std::string name;  // of the case: what a waiver in it is called by
  std::string path;
  Case value;
};

struct CheckOptions {
  Depth depth = Depth::kFull;        // at the least: a case may waive what only a deeper run shows
  std::vector<NamedWaiver> waivers;  // known ones, beside those in the cases
  unsigned jobs = 1;
  double seconds_per_case = 20.0;
  Judge::MachineFactory make_machine = machine::make_machine;
  InterpreterList interpreters;  // asked for a second opinion; outlive the check
};

// One case under one JIT. Nobody judged it where the harness or the plugin failed on it, which
// CheckReport::harness_failures tells.
struct CheckRow {
  std::size_t case_index = 0;
  std::size_t jit_index = 0;
  Judgement judgement;
  Stage stage = Stage::kGenerated;
  std::string known;  // name of the waiver that covers the finding, or empty
};

struct CheckReport {
  std::vector<CheckRow> rows;  // case by case, JIT by JIT
  // Cases whose .expect the oracle (under the default contract) contradicts, or that are undefined
  // without saying so.
  struct Unexpected {
    std::size_t case_index = 0;
    std::string message;
  };
  std::vector<Unexpected> unexpected;
  // Waivers in the cases that speak of a JIT that ran the case, and that covered nothing: the bug
  // is fixed, or the waiver never was right.
  struct Stale {
    std::size_t case_index = 0;
    Waiver waiver;
  };
  std::vector<Stale> stale;
  std::vector<std::string> harness_failures;  // where we are wrong ourselves, or a plugin is

  // 0 all conforms, 1 a finding that no waiver covers or anything unexpected or stale, 3 the
  // harness failed.
  [[nodiscard]] int status() const;
};

// Judges every case under every JIT, each in a child process, so that one that kills its process
// becomes a finding.
[[nodiscard]] CheckReport check_cases(std::span<const NamedCase> cases, JitList jits,
                                      const CheckOptions& options);

// What the oracle says against the case's expectation: an empty string, or the contradiction.
[[nodiscard]] std::string contradiction(const Case& value);

}  // namespace plumb::harness
