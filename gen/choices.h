// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "core/rng.h"

namespace plumb::gen {

// Where every decision of the generator comes from: input bytes first, then a generator seeded from
// all of them. Small numbers take few bytes, so that a fuzzer's mutation of one byte is one changed
// decision. Draw in statements of their own: C++ does not order the arguments of a call.
class ChoiceStream {
 public:
  explicit ChoiceStream(std::span<const std::uint8_t> bytes);
  explicit ChoiceStream(std::uint64_t seed) : rest_(seed) {}

  // In [0, bound); 0 < bound <= 2^32.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  // In [low, high].
  [[nodiscard]] int range(int low, int high);
  [[nodiscard]] bool chance(int percent);
  [[nodiscard]] std::uint64_t word();  // 64 bits
  // An index, as often as its weight says. At least one weight is positive.
  [[nodiscard]] std::size_t weighted(std::span<const int> weights);

  [[nodiscard]] int pick(std::initializer_list<int> values);
  // The number of a bit that is set; set != 0.
  [[nodiscard]] int pick_bit(std::uint32_t set);

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t position_ = 0;
  Rng rest_;
};

}  // namespace plumb::gen
