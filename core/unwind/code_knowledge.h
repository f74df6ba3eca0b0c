// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "core/placement.h"
#include "core/unwind/unwinder.h"

namespace plumb::unwind {

// What unwinders are told of an image and of what stands around its code in the machine.
struct CodeKnowledge {
  Rows jit_rows;                 // of functions and thunks
  Rows c_rows;                   // of helpers, of the code that calls back, of an interrupt's code
                                 // (core/unwind/c_frames.h) and of the caller
  std::vector<Range> jit_code;   // of functions and thunks
  std::vector<Range> fp_ranges;  // where the JIT says that its frame pointer heads a chain
  std::vector<Range> text;       // all of the code
  StepRule step = &unwind::step;

  // Valid as long as this is. Without call frame information: that is what others read.
  [[nodiscard]] Knowledge knowledge() const {
    return {.arch = jit_rows.arch(),
            .jit_code = jit_code,
            .c_rows = &c_rows,
            .jit_rows = &jit_rows,
            .call_frames = nullptr,
            .fp_ranges = fp_ranges,
            .text = text,
            .last_record = 0,
            .step = step};
  }
};

}  // namespace plumb::unwind
