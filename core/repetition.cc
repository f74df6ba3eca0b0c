// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/repetition.h"

#include <algorithm>

#include "core/edit.h"
#include "core/opcode.h"

namespace plumb {
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

// The shortest row that starts there, where an instruction starts; all within end.
Repetition repetition_at(std::span<const Insn> insns, std::size_t begin, std::size_t end) {
  for (std::size_t slots = 1; slots <= kLongestRow; ++slots) {
    if (begin + slots * kLeastTimes > end || begin + kLeastSlots > end) break;
    std::size_t next = begin + slots;
    while (next < end && insns[next] == insns[next - slots]) ++next;
    const std::size_t times = (next - begin) / slots;
    const bool is_worth_it = times >= kLeastTimes && times * slots >= kLeastSlots;
    if (is_worth_it && is_row(insns, begin, slots)) return {begin, slots, times};
  }
  return {};
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

std::vector<std::int64_t> jump_targets(std::span<const Insn> insns) {
  const std::vector<bool> starts = instruction_starts(insns);
  std::vector<std::int64_t> targets;
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    const OpcodeInfo* info = starts[slot] ? decode(insns[slot]) : nullptr;
    if (info == nullptr || !is_jump(info->operation)) continue;
    targets.push_back(jump_target(insns[slot], static_cast<std::int64_t>(slot)));
  }
  std::ranges::sort(targets);
  targets.erase(std::ranges::unique(targets).begin(), targets.end());
  return targets;
}

std::vector<Repetition> find_repetitions(std::span<const Insn> insns) {
  const std::vector<std::int64_t> targets = jump_targets(insns);
  auto target = targets.begin();
  std::vector<Repetition> found;
  for (std::size_t slot = 0; slot < insns.size();) {
    while (target != targets.end() && *target <= static_cast<std::int64_t>(slot)) ++target;
    const std::size_t end = target == targets.end()
                                ? insns.size()
                                : std::min(insns.size(), static_cast<std::size_t>(*target));
    const Repetition row = repetition_at(insns, slot, end);
    if (row.times != 0) {
      found.push_back(row);
      slot = row.end();
    } else {
      slot += static_cast<std::size_t>(slot_count(insns[slot]));
    }
  }
  return found;
}

}  // namespace plumb
