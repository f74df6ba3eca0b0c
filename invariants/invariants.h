// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/answer.h"
#include "core/case.h"
#include "core/execution.h"
#include "core/finding.h"
#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::invariants {

// What a violation explains of what is seen at the same event or after it.
enum class Spread : std::uint8_t {
  kRun,      // everything: memory, registers or the path are wrong from there on
  kChain,    // the walks along the frame pointers
  kNothing,  // the same invariant only
};

// What a row speaks of (invariants.inc).
enum class Speaks : std::uint8_t { kPath, kAlways };

// One row of invariants.inc.
struct InvariantInfo {
  std::string_view name;       // "tail-call-bound"
  std::string_view group;      // "tail calls"
  std::string_view sentence;   // what holds
  Depth needs = Depth::kFast;  // the least depth at which it can be said to hold
  Speaks speaks = Speaks::kPath;
  Spread spreads = Spread::kRun;
};

[[nodiscard]] std::span<const InvariantInfo> invariant_table();
// The row of that name, or null.
[[nodiscard]] const InvariantInfo* find_invariant(std::string_view name);

// One run and what it is held against. The pointers are never null.
struct Subject {
  const Case* value;
  const Image* image;
  const Execution* execution;  // defined
  const MachineRun* run;
  Depth depth;
};

struct Checked {
  std::vector<RowAnswer> answers;  // by row of the table
  // Everything that does not hold, in the order in which it was seen; at the same event, in the
  // order of the table. Violation::follows names the first one that explains it by its spread.
  std::vector<Violation> violations;
  std::uint64_t walks = 0;  // along the stack, that were judged
};

[[nodiscard]] Checked check(const Subject& subject);

}  // namespace plumb::invariants
