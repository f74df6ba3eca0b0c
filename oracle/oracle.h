// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "core/case.h"
#include "core/contract.h"
#include "core/execution.h"
#include "core/result.h"

namespace plumb::oracle {

struct Limits {
  std::uint64_t fuel = 100'000;  // instructions; running out makes the run undefined
};

// Interprets the case under the contract, checking everything that a verifier would have promised
// the JIT. Structural defects (validate.h) come back as undefined too. Never fails: a case that
// parse_case accepted always has an Execution.
//
// Of an undefined run, the trace and the counts up to undefined_at are there, result and memory are
// not. Events, beyond what core/event.h says:
// - kHelperCall holds only the arguments that the helper has, kCallback only R1 and R2: what
//   stands in further registers is not compared. kCall holds all five.
// - target is 0 for kReturn, kTailCallRefused and kExit.
// - under a contract that does not say what matters to the run, it is undefined, and unsaid.
// - where a division by zero ends the program, the invocation ends there, with 0 in R0: kExit
// stands
//   at the division, whatever function that is in.
// - the result of kExit is that of the Execution: under contract.result_bits. A main function that
//   a tail call put in a subprogram's place returns all 64 bits to the subprogram's caller.
[[nodiscard]] Execution run(const Case& value, const Contract& contract, const Limits& limits = {});

}  // namespace plumb::oracle
