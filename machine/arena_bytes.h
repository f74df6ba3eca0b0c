// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb::machine {

// The bytes at an address of an arena: guest addresses are host addresses there.
[[nodiscard]] inline std::uint8_t* arena_bytes(std::uint64_t address) {
  return reinterpret_cast<std::uint8_t*>(address);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace plumb::machine
