// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "core/case.h"
#include "harness/frame_figures.h"
#include "jit_under_test/jit.h"

namespace plumb::bench {

// What is known of a case under a JIT before its time is measured.
struct RowCheck {
  std::string problem;  // one line: why the time would mean nothing; empty: it means something
  harness::FrameFigures figures;
};

// Counts in the emulator, then runs the code natively once: the result must be the oracle's, and
// the platform's ABI kept. In child processes, whose end is a problem like any other.
[[nodiscard]] RowCheck check_row(const Case& value, jit::Jit& jit);

}  // namespace plumb::bench
