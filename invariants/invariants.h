// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/execution.h"
#include "core/finding.h"
#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::invariants {

// One row of invariants.inc.
struct InvariantInfo {
  std::string_view name;       // "tail-call-bound"
  std::string_view group;      // "tail calls"
  std::string_view sentence;   // what holds
  Depth needs = Depth::kFast;  // the least depth at which it can be checked
};

[[nodiscard]] std::span<const InvariantInfo> invariant_table();

// One run and what it is held against. The pointers are never null.
struct Subject {
  const Case* value;
  const Image* image;
  const Execution* execution;  // defined
  const MachineRun* run;
  Depth depth;
};

// Everything that does not hold, most telling first: a cause comes before its consequences.
[[nodiscard]] std::vector<Violation> check(const Subject& subject);

}  // namespace plumb::invariants
