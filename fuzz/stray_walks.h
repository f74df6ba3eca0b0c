// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>

// Walks over a stack, by rows and from registers that say anything: what a broken JIT leaves
// behind.
namespace plumb::fuzz {

struct StrayWalks {
  std::uint64_t walks = 0;
  std::uint64_t ended = 0;   // of those, at an end mark
  std::uint64_t frames = 0;  // that were found
};

// Any bytes are some stack, rows and registers. Every unwinder starts at them, in a function, in a
// helper that it calls, and behind an interrupt. Ends the process where a walk does not end, leads
// downwards, or reads what is not on the stack; `backwards-edge` may walk in circles.
[[nodiscard]] StrayWalks walk_astray(std::span<const std::uint8_t> bytes);

}  // namespace plumb::fuzz
