// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "core/case.h"
#include "core/contract.h"
#include "core/event.h"

namespace plumb::oracle {

struct Defect {
  std::string reason;  // a phrase without numbers (reasons.inc)
  Place at;

  bool operator==(const Defect&) const = default;
};

// The structural rules of the kernel's verifier, over all code and not only over what runs:
// - every instruction exists, every reference and jump leads somewhere, r10 is not written;
// - the last instruction of a function is an exit or an unconditional jump;
// - helpers are mocked; a main function is neither called by its own program nor called back;
// - no recursion; at most kMaxCallDepth frames in a call chain;
// - at most kMaxStackDepth bytes in a call chain, each frame rounded up as the contract says;
// - less than kMaxCallerDepthWithTailCall bytes above a function that holds a tail call;
// - no tail call reachable from a callback where the contract says so.
// Taking a function's address counts as calling it there. Unlike the kernel, code and functions
// that nothing reaches are permitted: they are laid out and checked, and never run.
[[nodiscard]] std::optional<Defect> validate(const Case& value,
                                             const Contract& contract = kEveryVerifier);

}  // namespace plumb::oracle
