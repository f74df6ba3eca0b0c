// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/case.h"

namespace plumb {

// Single steps that make a case smaller. Each gives a case in which all references are in bounds,
// or nothing when the step is not possible; whether a verifier would take it is not asked.

// Prog-array slots that held the program are empty. Not for the program that the case enters.
[[nodiscard]] std::optional<Case> without_program(const Case& value, int program);
// Calls of the function become r0 = 0, its address 0. Not for a main function.
[[nodiscard]] std::optional<Case> without_function(const Case& value, int program, int function);
// The body of the callee takes the place of the function's, and the callee goes as above.
[[nodiscard]] std::optional<Case> with_body_of(const Case& value, int program, int function,
                                               int callee);
// The case enters the program, and the one that it entered before goes.
[[nodiscard]] std::optional<Case> entering(const Case& value, int program);
// The address of the array or region becomes 0.
[[nodiscard]] std::optional<Case> without_array(const Case& value, int array);
[[nodiscard]] std::optional<Case> without_region(const Case& value, int region);

// What could stand for the instruction (one or two slots) in function `function`, simplest first.
// Following the first form again and again ends.
[[nodiscard]] std::vector<std::vector<Insn>> simpler_forms(std::span<const Insn> insn,
                                                           int function);

}  // namespace plumb
