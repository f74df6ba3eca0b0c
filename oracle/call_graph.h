// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/contract.h"
#include "oracle/decode.h"

namespace plumb::oracle {

// Bytes that a frame counts in a chain: round_up_stack_depth() of kernel 6.12 in steps of 16 or of
// 32, check_max_stack_depth_subprog() of kernel 6.1 in steps of 32. With 32, the step of the
// kernel's interpreter, a frame without stack counts too.
[[nodiscard]] constexpr int chain_bytes(int stack_depth, const Contract& contract) {
  const int step = contract.chain_rounding;
  if (step == 32 && stack_depth < 1) return step;
  return (stack_depth + step - 1) / step * step;
}

// The rules of validate.h that concern functions together. Taking a function's address counts as
// calling it, as in the kernel's check_max_stack_depth_subprog().
[[nodiscard]] CodeDefect check_calls(const Code& code, const Contract& contract);

}  // namespace plumb::oracle
