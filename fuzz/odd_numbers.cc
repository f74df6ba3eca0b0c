// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/odd_numbers.h"

#include <iterator>
#include <limits>

#include "fuzz/image_claims.h"

namespace plumb::fuzz {

std::uint64_t odd_number(gen::ChoiceStream& choices) {
  const std::uint64_t base[] = {0,
                                kClaimedArena.address,
                                kClaimedArena.address + kClaimedArena.size,
                                std::numeric_limits<std::uint64_t>::max(),
                                kClaimedArena.size,
                                kClaimedArena.address + PLUMB_STUB_SIZE};
  const std::uint64_t number = base[choices.below(std::size(base))];
  const int distance = choices.range(-9, 9);
  return choices.chance(80) ? number + static_cast<std::uint64_t>(distance) : choices.word();
}

std::uint32_t odd_stride(gen::ChoiceStream& choices, std::uint32_t size) {
  const std::uint32_t strides[] = {0,        4,         8,    size - 8, size - 1,    size + 1,
                                   size + 8, size + 64, 4096, 8192,     0xffff'fff8, 0xffff'ffff};
  return strides[choices.below(std::size(strides))];
}

std::uint32_t huge_count(gen::ChoiceStream& choices) {
  const std::uint32_t counts[] = {0xffff'ffff, 0x8000'0000, 0x0100'0000};
  return counts[choices.below(std::size(counts))];
}

}  // namespace plumb::fuzz
