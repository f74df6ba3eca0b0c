// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "core/finding.h"
#include "core/unwind/survey.h"

namespace plumb::invariants {

class View;

// What the walks of a run at Depth::kInterrupts (core/unwind/survey.h) say to each row about them.
// Judged are walks by rows, and those along frame pointers where the JIT keeps a chain. Not those
// of `backwards-edge`, nor those that come by an interrupt that nothing tells them of: they show
// what happens then.
struct WalkFindings {
  std::uint64_t judged = 0;          // walks
  std::uint64_t interrupts = 0;      // of those, behind an interrupt that the unwinder has to find
  std::optional<Violation> lie;      // the first one that is wrong and calls itself reliable
  std::optional<Violation> wrong;    // that finds what there is not, or misses what it must not
  std::optional<Violation> missed;   // that does not come by what was interrupted
  std::optional<Violation> endless;  // that does not end
};

[[nodiscard]] WalkFindings walk_findings(const View& view);

}  // namespace plumb::invariants
