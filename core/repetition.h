// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/insn.h"

// Rows of instructions that are repeated in a function, one pass right behind the other. A case
// file writes such a row once, with a count (.repeat): large programs stay small files. A Function
// holds every slot.
namespace plumb {

// May the instruction stand in such a row? Not what names something: jumps, calls of functions,
// addresses of objects.
[[nodiscard]] bool may_repeat(const Insn& insn);

struct Repetition {
  std::size_t begin = 0;  // slot
  std::size_t slots = 0;  // of the row
  std::size_t times = 0;

  [[nodiscard]] std::size_t end() const { return begin + slots * times; }
  bool operator==(const Repetition&) const = default;
};

// All that are long enough to be worth it, in order. None overlaps another, and no jump goes into
// one, but for its very first slot.
[[nodiscard]] std::vector<Repetition> find_repetitions(std::span<const Insn> insns);

// Slots where jumps go to, in order, each once. Of jumps out of the function, too.
[[nodiscard]] std::vector<std::int64_t> jump_targets(std::span<const Insn> insns);

}  // namespace plumb
