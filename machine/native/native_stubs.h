// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/placement.h"
#include "core/result.h"

namespace plumb::machine {

// The bytes of Placement::stubs for native runs: each helper's stub jumps to a function that
// scrambles the caller-saved registers and the word below the stack pointer, and returns 0;
// bpf_loop's to machine/loop_routine.h. All else traps. An error when the stubs are not laid out as
// in core/guest.h.
[[nodiscard]] Result<std::vector<std::uint8_t>> native_stubs(const Placement& placement);

}  // namespace plumb::machine
