// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/insn.h"

namespace plumb {

// Replaces slots [begin, end) of a function's code and fixes every jump across the change. Both
// ends must lie on instruction boundaries. Jumps into the removed part go to the first slot after
// it (to the first slot of the replacement if there is one). Jumps inside the replacement are taken
// as they are. Returns false and changes nothing when a jump would no longer fit its field, would
// leave the function or would land inside a wide load, or when the replacement ends in half of one.
[[nodiscard]] bool splice(std::vector<Insn>& insns, std::size_t begin, std::size_t end,
                          std::span<const Insn> replacement);

// True where an instruction starts (false at the second slot of a wide load).
[[nodiscard]] std::vector<bool> instruction_starts(std::span<const Insn> insns);

}  // namespace plumb
