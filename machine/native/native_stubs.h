// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/placement.h"
#include "core/result.h"
#include "machine/native/native_machine.h"

namespace plumb::machine {

// The bytes of Placement::stubs for native runs: each helper's stub jumps to a function of that
// kind, and all else traps. An error when the stubs are not laid out as in core/guest.h.
[[nodiscard]] Result<std::vector<std::uint8_t>> native_stubs(const Placement& placement,
                                                             NativeHelpers helpers);

}  // namespace plumb::machine
