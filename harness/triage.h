// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/finding.h"
#include "harness/check.h"

namespace plumb::harness {

// What a number of artefacts have in common: the message is that of the smallest, the count that of
// the artefacts.
struct TriageRow : Finding {
  std::vector<std::string> jits{};  // that showed it
  std::size_t smallest = 0;         // index of the smallest case
  std::size_t jit_index = 0;        // under which that one shows it
};

struct Triage {
  std::vector<TriageRow> rows;  // unknown before known, then most frequent first
  // Of artefacts that were judged under all JITs:
  std::vector<std::size_t> silent;    // those that show nothing
  std::vector<std::size_t> harmless;  // those that kill nothing, whatever else they show
  std::vector<std::string> harness_failures;

  // 0: nothing that no waiver covers, 1: such a finding, 3: the harness failed.
  [[nodiscard]] int status() const;
};

// Judges every artefact under every JIT, in child processes, and groups them by signature.
[[nodiscard]] Triage triage(std::span<const NamedCase> cases, JitList jits,
                            const CheckOptions& options);

// The case that is left of the row's smallest when it is minimised, in child processes; that case
// itself where minimising does not come to an end.
[[nodiscard]] Case minimised_case(const TriageRow& row, std::span<const NamedCase> cases,
                                  JitList jits);

}  // namespace plumb::harness
