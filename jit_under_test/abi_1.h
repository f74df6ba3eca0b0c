// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "jit_under_test/plugin.h"

namespace plumb::jit {

// What a plugin or an interpreter of ABI 1 takes without saying so: these capabilities had no name
// then, and every JIT got such cases.
inline constexpr std::uint64_t kTakenByAbi1 = PLUMB_CAN_TAKE_BASE;

}  // namespace plumb::jit
