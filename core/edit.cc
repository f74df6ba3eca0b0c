// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/edit.h"

#include <limits>

#include "core/check.h"
#include "core/opcode.h"

namespace plumb {
namespace {

bool is_boundary(const std::vector<bool>& starts, std::size_t slot) {
  return slot == starts.size() || (slot < starts.size() && starts[slot]);
}

bool jumps(const Insn& insn) {
  const OpcodeInfo* info = decode(insn);
  return info != nullptr && is_jump(info->operation);
}

// False when a wide load at the end lacks its second slot.
bool ends_whole(std::span<const Insn> insns) {
  const std::vector<bool> starts = instruction_starts(insns);
  return insns.empty() || !starts.back() || slot_count(insns.back()) == 1;
}

// Every jump lands on an instruction.
bool is_closed(const std::vector<Insn>& insns) {
  const std::vector<bool> starts = instruction_starts(insns);
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    if (!starts[slot] || !jumps(insns[slot])) continue;
    const std::int64_t target = jump_target(insns[slot], static_cast<std::int64_t>(slot));
    if (target < 0 || target >= std::ssize(insns)) return false;
    if (!starts[static_cast<std::size_t>(target)]) return false;
  }
  return true;
}

}  // namespace

bool splice(std::vector<Insn>& insns, std::size_t begin, std::size_t end,
            std::span<const Insn> replacement) {
  const std::vector<bool> starts = instruction_starts(insns);
  PLUMB_CHECK(begin <= end && is_boundary(starts, begin) && is_boundary(starts, end));
  if (!ends_whole(replacement)) return false;
  const auto first = static_cast<std::int64_t>(begin);
  const auto last = static_cast<std::int64_t>(end);
  const std::int64_t growth = std::ssize(replacement) - (last - first);
  // Where a slot of the old code, or what takes its place, lies in the new code.
  const auto moved = [&](std::int64_t slot) {
    if (slot >= last) return slot + growth;
    return slot < first ? slot : first;
  };

  std::vector<Insn> result;
  result.reserve(insns.size() - (end - begin) + replacement.size());
  for (std::size_t slot = 0; slot <= insns.size(); ++slot) {
    if (slot == begin) result.insert(result.end(), replacement.begin(), replacement.end());
    if (slot == insns.size() || (slot >= begin && slot < end)) continue;
    Insn insn = insns[slot];
    if (starts[slot] && jumps(insn)) {
      const auto old_slot = static_cast<std::int64_t>(slot);
      const std::int64_t target = moved(jump_target(insn, old_slot));
      if (!set_jump_distance(insn, target - moved(old_slot) - 1)) return false;
    }
    result.push_back(insn);
  }
  if (!is_closed(result)) return false;
  insns = std::move(result);
  return true;
}

std::vector<bool> instruction_starts(std::span<const Insn> insns) {
  std::vector<bool> starts(insns.size(), false);
  for (std::size_t slot = 0; slot < insns.size();) {
    starts[slot] = true;
    slot += static_cast<std::size_t>(slot_count(insns[slot]));
  }
  return starts;
}

}  // namespace plumb
