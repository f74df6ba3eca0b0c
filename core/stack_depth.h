// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/case.h"

namespace plumb {

// Bytes below R10 that the code names in an obvious way: accesses with base r10, and
// "rX = r10; rX += -N" in straight-line code. What .stack means when it is absent; a function whose
// stack use is less obvious needs the directive. At most kMaxStackDepth.
[[nodiscard]] int infer_stack_depth(const std::vector<Insn>& insns);

}  // namespace plumb
