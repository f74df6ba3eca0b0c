// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb::invariants {

// Do [a, a + a_size) and [b, b + b_size) share a byte?
[[nodiscard]] constexpr bool overlap(std::uint64_t a, std::uint64_t a_size, std::uint64_t b,
                                     std::uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

// The low size bytes (1 ... 8) of the value.
[[nodiscard]] constexpr std::uint64_t low_bytes(std::uint64_t value, unsigned size) {
  return size >= 8 ? value : value & ((std::uint64_t{1} << 8 * size) - 1);
}

}  // namespace plumb::invariants
