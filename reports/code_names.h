// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "machine/machine.h"

namespace plumb::reports {

// The texts of a function's instructions without addresses of the arena, which say nothing to
// people and differ from run to run. Where an operand is the address of a function, a helper's
// stub, a symbol or a prog array, its name stands in its place; an address in the function itself
// is an offset. An address that is made in pieces is named in each: "movk w1, #:abs_g1:jmp" and
// "lui a1, %hi(jmp)" as assemblers write it.
[[nodiscard]] std::vector<std::string> instruction_texts(
    const Case& value, const Image& image, const NativeFunction& native,
    std::span<const machine::DisassembledInsn> insns);

}  // namespace plumb::reports
