// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

#include "core/case.h"
#include "core/execution.h"
#include "core/opcode.h"

// For the tests: does a case do what its shape is named for?
namespace plumb::gen {

struct ShapeFeature {
  std::string_view shape;
  std::string_view what;
  int least_percent = 0;  // of the shape's cases
  bool (*shows)(const Case& value, const Execution& execution) = nullptr;
};

[[nodiscard]] std::span<const ShapeFeature> shape_features();

[[nodiscard]] bool calls_or_tail_calls(const Execution& execution);
[[nodiscard]] bool reaches_tail_call_limit(const Execution& execution);
[[nodiscard]] bool needs_v4(const Case& value);
// A tail call is taken while a callback is in progress.
[[nodiscard]] bool tail_calls_in_callback(const Case& value, const Execution& execution);
// A tail call whose key is a constant with something in its upper half.
[[nodiscard]] bool has_wide_key(const Case& value);
// A function with stack that never names R10 as a destination: it is filled by a helper.
[[nodiscard]] bool has_frame_that_is_only_a_source(const Case& value);
// The lowest number of the width is divided, signed, by a constant other than -1.
[[nodiscard]] bool divides_the_lowest_number(const Case& value);

template <typename Visit>
void for_each_insn(const Function& function, Visit visit) {
  for (std::size_t slot = 0; slot < function.insns.size();) {
    const Insn& insn = function.insns[slot];
    visit(*decode(insn));
    slot += static_cast<std::size_t>(slot_count(insn));
  }
}

}  // namespace plumb::gen
