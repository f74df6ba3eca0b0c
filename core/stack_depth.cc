// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stack_depth.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/edit.h"
#include "core/opcode.h"

namespace plumb {
namespace {

// Offsets from R10 that registers are known to hold, in straight-line code.
class KnownOffsets {
 public:
  KnownOffsets() { forget_all(); }

  void forget_all() {
    known_.fill(std::nullopt);
    known_[kFramePointerRegister] = 0;
  }
  void forget(std::size_t first, std::size_t last) {
    for (std::size_t i = first; i <= last; ++i) known_[i] = std::nullopt;
  }
  [[nodiscard]] std::optional<std::int64_t> get(unsigned reg) const {
    return reg < known_.size() ? known_[reg] : std::nullopt;
  }
  void set(unsigned reg, std::optional<std::int64_t> offset) {
    if (reg < kFramePointerRegister) known_[reg] = offset;
  }

 private:
  std::array<std::optional<std::int64_t>, kRegisterCount> known_;
};

// The base register of a memory access.
std::optional<unsigned> base_register(const OpcodeInfo& info, const Insn& insn) {
  const Operation operation = info.operation;
  if (operation == Operation::kLoad || operation == Operation::kLoadSigned) return insn.src;
  if (operation == Operation::kStore || is_atomic(operation)) return insn.dst;
  return std::nullopt;
}

// What an ALU instruction leaves in its destination, if that is a known offset.
std::optional<std::int64_t> result_offset(const OpcodeInfo& info, const Insn& insn,
                                          const KnownOffsets& known) {
  switch (info.id) {
    case Opcode::kMov64Reg:
      return known.get(insn.src);
    case Opcode::kAdd64Imm:
    case Opcode::kSub64Imm:
      if (const std::optional<std::int64_t> old = known.get(insn.dst)) {
        const std::int64_t step = insn.immediate;
        return info.id == Opcode::kAdd64Imm ? *old + step : *old - step;
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

void apply_writes(const OpcodeInfo& info, const Insn& insn, KnownOffsets& known) {
  const Operation operation = info.operation;
  switch (operation) {
    case Operation::kCallHelper:
    case Operation::kCallFunction:
    case Operation::kLoadAbs:
    case Operation::kLoadInd:
      known.forget(0, 5);
      return;
    case Operation::kExit:
    case Operation::kThrow:
    case Operation::kJa:
      known.forget_all();  // the next slot is reached from elsewhere
      return;
    case Operation::kCmpxchg:
      known.set(0, std::nullopt);
      return;
    case Operation::kStore:
      return;
    default:
      break;
  }
  if (is_conditional_jump(operation)) return;
  if (is_atomic(operation)) {
    known.set(insn.src, std::nullopt);  // forgets too much for the forms that do not fetch
    return;
  }
  known.set(insn.dst, result_offset(info, insn, known));
}

std::vector<bool> jump_targets(const std::vector<Insn>& insns, const std::vector<bool>& starts) {
  std::vector<bool> targets(insns.size(), false);
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    const OpcodeInfo* info = decode(insns[slot]);
    if (!starts[slot] || info == nullptr || !is_jump(info->operation)) continue;
    const std::int64_t target = jump_target(insns[slot], static_cast<std::int64_t>(slot));
    if (target >= 0 && target < std::ssize(insns)) targets[static_cast<std::size_t>(target)] = true;
  }
  return targets;
}

}  // namespace

int infer_stack_depth(const std::vector<Insn>& insns) {
  const std::vector<bool> starts = instruction_starts(insns);
  const std::vector<bool> targets = jump_targets(insns, starts);
  KnownOffsets known;
  std::int64_t lowest = 0;
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    const Insn& insn = insns[slot];
    const OpcodeInfo* info = starts[slot] ? decode(insn) : nullptr;
    if (info == nullptr) continue;
    if (targets[slot]) known.forget_all();
    if (const std::optional<unsigned> base = base_register(*info, insn)) {
      if (const auto offset = known.get(*base)) lowest = std::min(lowest, *offset + insn.offset);
    }
    apply_writes(*info, insn, known);
    if (info->id == Opcode::kAdd64Imm || info->id == Opcode::kSub64Imm) {
      if (const auto offset = known.get(insn.dst)) lowest = std::min(lowest, *offset);
    }
  }
  return static_cast<int>(std::min<std::int64_t>(-lowest, kMaxStackDepth));
}

}  // namespace plumb
