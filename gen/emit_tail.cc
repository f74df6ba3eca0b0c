// SPDX-License-Identifier: GPL-2.0-or-later
#include <bit>

#include "core/check.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

// R3, which counts activations from 1 on, becomes the number of a slot.
void reduce_to_slots(Emitter& e, std::int32_t slots) {
  if (takes(e, Opcode::kMod64Imm)) {
    e.code.emit(Opcode::kMod64Imm, 3, 0, 0, slots);
  } else {
    // The largest power of two that is not above the number of slots.
    const auto mask = static_cast<std::int32_t>(std::bit_floor(static_cast<std::uint32_t>(slots)));
    e.code.emit(Opcode::kAnd64Imm, 3, 0, 0, mask - 1);
  }
}

// Computes the key into R3 with R1 holding the context.
void load_key(Emitter& e, const TailCallPlan& tail_call) {
  const int at = kKeyOffset + 2 * tail_call.key;
  const auto slots = e.plan.arrays[static_cast<std::size_t>(tail_call.array)].size();
  switch (tail_call.source) {
    case KeySource::kConstant:
      return;
    case KeySource::kContext:
      e.code.emit(Opcode::kLoad16, 3, 1, at);
      break;
    case KeySource::kRegion:
      e.code.load_region(3, 0, 0);
      e.code.emit(Opcode::kLoad16, 3, 3, at);
      break;
    case KeySource::kCounter:
      e.code.load_region(3, 0, 0);
      e.code.emit(Opcode::kLoad64, 3, 3, kCounterOffset);
      reduce_to_slots(e, static_cast<std::int32_t>(slots));
      break;
  }
  if (!tail_call.dirty_key) return;
  e.code.load_imm64(2, e.choices.word() << 32 | std::uint64_t{1} << 32);
  e.code.emit(Opcode::kOr64Reg, 3, 2);
}

void skip_when_counted(Emitter& e, int only_below, Label& skip) {
  const int reg = scratch(e);
  e.code.load_region(reg, 0, 0);
  e.code.emit(Opcode::kLoad64, reg, reg, kCounterOffset);
  e.code.jump_if(Opcode::kJge64Imm, reg, 0, only_below, skip);
}

}  // namespace

void emit_tail_call(Emitter& e, const TailCallPlan& tail_call) {
  Label skip;
  if (tail_call.only_below > 0) skip_when_counted(e, tail_call.only_below, skip);
  PLUMB_CHECK(load_pointer(e, ValueKind::kContext, 0, 1));
  if (tail_call.source == KeySource::kConstant) {
    e.code.load_array(2, tail_call.array);
    if (tail_call.dirty_key) {
      const std::uint64_t high = e.choices.word() << 32 | std::uint64_t{1} << 32;
      e.code.load_imm64(3, high | static_cast<std::uint32_t>(tail_call.key));
    } else {
      e.code.emit(Opcode::kMov64Imm, 3, 0, 0, tail_call.key);
    }
  } else if (!tail_call.dirty_key && e.choices.chance(50)) {
    e.code.load_array(2, tail_call.array);
    load_key(e, tail_call);
  } else {
    load_key(e, tail_call);
    e.code.load_array(2, tail_call.array);
  }
  e.code.call_helper(kTailCallHelper);
  e.code.place(skip);
}

}  // namespace plumb::gen
