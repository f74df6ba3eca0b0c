// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "oracle/decode.h"

namespace plumb::oracle {

// Bytes that a frame counts in a chain: rounded up to 16 (kernel 6.12, round_up_stack_depth()).
[[nodiscard]] constexpr int chain_bytes(int stack_depth) { return (stack_depth + 15) & ~15; }

// The rules of validate.h that concern functions together. Taking a function's address counts as
// calling it, as in the kernel's check_max_stack_depth_subprog().
[[nodiscard]] CodeDefect check_calls(const Code& code);

}  // namespace plumb::oracle
