// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/repetition.h"

#include <algorithm>

#include "core/opcode.h"

namespace plumb::text {
namespace {

constexpr std::size_t kLongestRow = 8;   // slots
constexpr std::size_t kLeastSlots = 64;  // of all repetitions together
constexpr std::size_t kLeastTimes = 8;

// Does a row of that many slots start there, and end where an instruction ends?
bool is_row(std::span<const Insn> insns, std::size_t begin, std::size_t slots) {
  std::size_t slot = begin;
  while (slot < begin + slots) {
    if (!may_repeat(insns[slot])) return false;
    slot += static_cast<std::size_t>(slot_count(insns[slot]));
  }
  return slot == begin + slots;
}

}  // namespace

bool may_repeat(const Insn& insn) {
  const OpcodeInfo* info = decode(insn);
  if (info == nullptr || is_jump(info->operation)) return false;
  switch (info->operation) {
    case Operation::kCallFunction:
    case Operation::kLoadArray:
    case Operation::kLoadRegion:
    case Operation::kLoadFunction:
      return false;
    default:
      return true;
  }
}

Repetition find_repetition(std::span<const Insn> insns, const std::set<std::int64_t>& jump_targets,
                           std::size_t slot) {
  const auto target = jump_targets.upper_bound(static_cast<std::int64_t>(slot));
  const std::size_t end = target == jump_targets.end()
                              ? insns.size()
                              : std::min(insns.size(), static_cast<std::size_t>(*target));
  for (std::size_t slots = 1; slots <= kLongestRow; ++slots) {
    if (slot + slots * kLeastTimes > end || slot + kLeastSlots > end) break;
    std::size_t next = slot + slots;
    while (next < end && insns[next] == insns[next - slots]) ++next;
    const std::size_t times = (next - slot) / slots;
    const bool is_worth_it = times >= kLeastTimes && times * slots >= kLeastSlots;
    if (is_worth_it && is_row(insns, slot, slots)) return {slots, times};
  }
  return {};
}

}  // namespace plumb::text
