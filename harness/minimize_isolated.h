// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>

#include "core/case.h"
#include "core/finding.h"
#include "harness/judge.h"
#include "harness/minimize.h"
#include "harness/second_opinion.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {

struct IsolatedMinimizeOptions {
  Depth depth = Depth::kFull;
  std::size_t max_attempts = 20'000;
  double seconds_per_case = 10.0;  // longer is a hang
  Judge::MachineFactory make_machine = machine::make_machine;
  InterpreterList interpreters;            // asked for a second opinion
  std::span<const NamedWaiver> waivers{};  // what is known: signatures depend on it (causes.h)
};

struct IsolatedMinimised {
  Minimised result;        // the case given where nothing smaller is known
  bool minimised = false;  // the minimiser came to an end, or ran out of attempts
  bool alone = true;       // the case given shows it alone, in a fresh process
};

// Does the case show this finding?
[[nodiscard]] bool shows(const Case& value, jit::Jit& jit, Depth depth, const Signature& signature,
                         Judge& judge);

// Minimises what shows the finding, in child processes: the minimiser runs the JIT and the emulator
// on thousands of odd cases. One process for all of them; where the finding kills its process, or a
// smaller case does, a fresh one for each try, and fewer tries.
[[nodiscard]] IsolatedMinimised minimize_isolated(const Case& value, jit::Jit& jit,
                                                  const Signature& signature, Verdict verdict,
                                                  const IsolatedMinimizeOptions& options = {});

}  // namespace plumb::harness
