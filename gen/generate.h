// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/case.h"

namespace plumb::gen {

// What cases of a shape do when they run, at least one in twenty.
enum class Reach : std::uint32_t {
  kCall = 1u << 0,           // of a BPF function, or a callback
  kTailCall = 1u << 1,       // taken
  kTailCallLimit = 1u << 2,  // refused, because the limit of 33 is reached
  kStackPointer = 1u << 3,   // passed to a BPF function
  kHelperCall = 1u << 4,
};
[[nodiscard]] constexpr std::uint32_t reach_bit(Reach reach) {
  return static_cast<std::uint32_t>(reach);
}
inline constexpr std::uint32_t kReachesAll = ~std::uint32_t{0};

// One row of the shape table (shapes.inc): a kind of case, and how often it is chosen.
struct Shape {
  std::string_view name;
  std::string_view description;
  int weight = 0;
  std::uint32_t reaches = 0;  // or of Reach
};

[[nodiscard]] std::span<const Shape> shapes();
[[nodiscard]] const Shape* find_shape(std::string_view name);

// A case from choices: every decision reads the next bytes, and when they run out a generator
// seeded from all of them goes on, so that any input gives a whole case. Same bytes, same case. A
// shape given overrides the choice of one.
[[nodiscard]] Case generate(std::span<const std::uint8_t> choices, const Shape* shape = nullptr);

// The same from a seed: what "plumb gen --seed" prints.
[[nodiscard]] Case generate(std::uint64_t seed, const Shape* shape = nullptr);

}  // namespace plumb::gen
