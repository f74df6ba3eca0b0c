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
[[nodiscard]] Execution run(const Case& value, const Contract& contract, const Limits& limits = {});

}  // namespace plumb::oracle
