// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/choices.h"

#include <bit>

#include "core/check.h"

namespace plumb::gen {
namespace {

// FNV-1a (Fowler, Noll, Vo): the same on every machine.
std::uint64_t hash(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (const std::uint8_t byte : bytes) value = (value ^ byte) * 0x100000001b3u;
  return value;
}

}  // namespace

ChoiceStream::ChoiceStream(std::span<const std::uint8_t> bytes)
    : bytes_(bytes.begin(), bytes.end()), rest_(hash(bytes)) {}

std::uint64_t ChoiceStream::below(std::uint64_t bound) {
  PLUMB_CHECK(bound > 0 && bound <= std::uint64_t{1} << 32);
  if (bound == 1) return 0;
  const std::size_t width = bound <= 16 ? 1 : bound <= 4096 ? 2 : 4;
  if (bytes_.size() - position_ < width) {
    position_ = bytes_.size();
    return rest_.below(bound);
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8 | bytes_[position_++];
  // Scaled, not taken modulo: near bytes are near decisions. At most 2^32 * (2^32 - 1).
  return value * bound >> (8 * width);
}

int ChoiceStream::range(int low, int high) {
  PLUMB_CHECK(low <= high);
  return low + static_cast<int>(below(static_cast<std::uint64_t>(high - low) + 1));
}

bool ChoiceStream::chance(int percent) { return range(0, 99) < percent; }

std::uint64_t ChoiceStream::word() {
  const std::uint64_t high = below(std::uint64_t{1} << 32);
  const std::uint64_t low = below(std::uint64_t{1} << 32);
  return high << 32 | low;
}

std::size_t ChoiceStream::weighted(std::span<const int> weights) {
  int total = 0;
  for (const int weight : weights) total += weight;
  int drawn = range(0, total - 1);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    drawn -= weights[i];
    if (drawn < 0) return i;
  }
  PLUMB_CHECK(false);
  return 0;
}

int ChoiceStream::pick(std::initializer_list<int> values) {
  return values.begin()[below(values.size())];
}

int ChoiceStream::pick_bit(std::uint32_t set) {
  PLUMB_CHECK(set != 0);
  std::uint64_t skip = below(static_cast<std::uint64_t>(std::popcount(set)));
  for (; skip > 0; --skip) set &= set - 1;
  return std::countr_zero(set);
}

}  // namespace plumb::gen
