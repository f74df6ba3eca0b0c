// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "harness/waivers.h"

namespace plumb::harness {

// Waivers with code= say which instructions are compiled wrongly (Waiver::code in core/case.h).

// Does the case have such an instruction? Yes without code=.
[[nodiscard]] bool has_code_of(const Waiver& waiver, const Case& value);

// The waivers that name the JIT, without those for code that the case does not have.
[[nodiscard]] std::vector<NamedWaiver> for_code_of(std::span<const NamedWaiver> waivers,
                                                   std::string_view jit, const Case& value);

// The case without the instructions of all these waivers: they are removed. A conditional jump
// becomes the one for equality, of the same operands, so that both ways remain; in front of it a
// jump to it is put, so that it is no longer the first instruction.
[[nodiscard]] Case without_code_of(std::span<const NamedWaiver> waivers, const Case& value);

}  // namespace plumb::harness
