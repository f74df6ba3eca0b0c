// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>

#include "core/insn.h"

// Rows of instructions that a case file writes once, with a count (.repeat): large programs stay
// small files. Internal to the case text format; a Function holds every slot.
namespace plumb::text {

// May the instruction stand in such a row? Not what names something: jumps, calls of functions,
// addresses of objects.
[[nodiscard]] bool may_repeat(const Insn& insn);

struct Repetition {
  std::size_t slots = 0;  // of the row that is repeated
  std::size_t times = 0;  // at least 2; 0: nothing is repeated

  bool operator==(const Repetition&) const = default;
};

// The shortest row that starts at the slot, where an instruction starts, and is repeated often
// enough to be worth it. No jump goes into it, but for its very first slot.
[[nodiscard]] Repetition find_repetition(std::span<const Insn> insns,
                                         const std::set<std::int64_t>& jump_targets,
                                         std::size_t slot);

}  // namespace plumb::text
