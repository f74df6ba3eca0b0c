// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/case.h"

namespace plumb::gen {

// One row of the shape table (shapes.inc): a kind of case, and how often it is chosen.
struct Shape {
  std::string_view name;
  std::string_view description;
  int weight = 0;
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
