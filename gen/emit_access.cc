// SPDX-License-Identifier: GPL-2.0-or-later
// Statements that reach memory in less plain ways: atomics, variable offsets, spilled pointers.
#include <algorithm>
#include <vector>

#include "core/check.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

const std::vector<Opcode>& atomic_rows() {
  static const std::vector<Opcode> kRows = [] {
    std::vector<Opcode> rows;
    for (const OpcodeInfo& info : opcode_table()) {
      if (is_atomic(info.operation)) rows.push_back(info.id);
    }
    return rows;
  }();
  return kRows;
}

// All but plain AND, OR, XOR and ADD give the old value back: into R0 or into the source.
bool writes_source(Operation operation) {
  return operation >= Operation::kAtomicAddFetch && operation <= Operation::kXchg;
}

// reg = a scalar that is a multiple of 8 in [0, 8 * most]; most + 1 is a power of two.
void bounded_scalar(Emitter& e, int reg, int most) {
  if (!e.code.at(reg).is_scalar()) emit_constant(e, reg);
  e.code.emit(Opcode::kAnd64Imm, reg, 0, 0, most);
  if (most > 0) e.code.emit(Opcode::kLsh64Imm, reg, 0, 0, 3);
}

// Puts the same number into memory and into R0; for 32 bits, with something in R0's upper half.
void make_comparison_hold(Emitter& e, const Address& at, int width) {
  const std::int32_t value = draw_immediate(e.choices);
  e.code.emit(width == 64 ? Opcode::kStoreImm64 : Opcode::kStoreImm32, at.reg, 0, at.offset, value);
  if (width == 64) {
    e.code.emit(Opcode::kMov64Imm, 0, 0, 0, value);
  } else {
    constexpr std::uint64_t kUpper = 0x5eed'0000'0000'0000;
    e.code.load_imm64(0, kUpper | static_cast<std::uint32_t>(value));
  }
}

}  // namespace

void emit_atomic(Emitter& e) {
  const std::vector<Opcode>& rows = atomic_rows();
  if (std::ranges::none_of(rows, [&e](Opcode form) { return takes(e, form); })) return emit_alu(e);
  const OpcodeInfo& info = pick_form(e, rows);
  const bool exchanges = info.operation == Operation::kCmpxchg;
  // R0 is also what cmpxchg writes: it must not be what holds the loop counter or the address.
  if (exchanges && (e.locked & bit(0)) != 0) return;
  if (exchanges && !e.code.at(0).is_scalar()) emit_constant(e, 0);
  const RegisterSet before = e.held;
  if (exchanges) e.held |= bit(0);
  const int src = writes_source(info.operation) ? scalar_target(e) : any_scalar(e);
  {
    const Hold hold(e, src);
    const Address at = find_address(e, Access::kAtomic, info.width / 8);
    if (exchanges && e.choices.chance(40)) make_comparison_hold(e, at, info.width);
    e.code.emit(info.id, at.reg, src, at.offset);
  }
  e.held = before;
}

void emit_indexed(Emitter& e) {
  const int index = scratch(e);
  const Hold hold_index(e, index);
  const int base = scratch(e);
  const Hold hold_base(e, base);
  const int elements = e.choices.pick({1, 2, 2, 4});
  if (takes(e, Capability::kIndexStack)) {
    (void)point_at_buffer(e, base, 8 * elements);
  } else {
    point_at_region(e, base, 8 * elements);
  }
  bounded_scalar(e, index, elements - 1);
  e.code.add_bounded(base, index, 8 * (elements - 1));
  const int size = e.choices.pick({1, 2, 4, 8});
  const int offset = size * e.choices.range(0, 8 / size - 1);
  if (e.choices.chance(50)) {
    const Opcode load = size == 8   ? Opcode::kLoad64
                        : size == 4 ? Opcode::kLoad32
                        : size == 2 ? Opcode::kLoad16
                                    : Opcode::kLoad8;
    e.code.emit(load, index, base, offset);
  } else {
    const Opcode store = size == 8   ? Opcode::kStore64
                         : size == 4 ? Opcode::kStore32
                         : size == 2 ? Opcode::kStore16
                                     : Opcode::kStore8;
    e.code.emit(store, base, any_scalar(e), offset);
  }
  e.code.kill(bit(base));
}

void emit_spill(Emitter& e) {
  const std::optional<int> slot = free_frame_range(e, 8);
  if (!slot) return;
  int pointer = scratch(e);
  const Hold hold(e, pointer);
  if (e.choices.chance(20)) {
    // R10 itself: a JIT that corrects R10 where it is named has to correct it here as well.
    pointer = kFramePointerRegister;
  } else if (e.choices.chance(50)) {
    const int depth = e.code.surroundings().stack_depth;
    e.code.emit(Opcode::kMov64Reg, pointer, kFramePointerRegister);
    e.code.emit(Opcode::kAdd64Imm, pointer, 0, 0, -e.choices.range(1, depth));
  } else {
    const auto regions = e.code.surroundings().region_sizes.size();
    const int region = static_cast<int>(e.choices.below(regions));
    e.code.load_region(pointer, region, 0);
  }
  e.code.emit(Opcode::kStore64, kFramePointerRegister, pointer, *slot);
  // Nothing else may touch the slot while a pointer lies in it.
  const FrameBytes before = e.locked_bytes;
  for (int i = 0; i < 8; ++i) e.locked_bytes.set(frame_bit(*slot + i));
  if (e.choices.chance(60)) emit_one_alu(e);
  e.locked_bytes = before;
  const int back = scratch(e);
  const Hold hold_back(e, back);
  e.code.emit(Opcode::kLoad64, back, kFramePointerRegister, *slot);
  const AbstractValue value = e.code.at(back);
  const int source = any_scalar(e);
  e.code.emit(Opcode::kStore64, kFramePointerRegister, source, *slot);
  const bool frame = value.kind == ValueKind::kStack;
  const int offset = frame ? *slot - value.offset : 0;
  const int result = result_register(e);
  e.code.emit(Opcode::kLoad64, result, back, offset);
}

}  // namespace plumb::gen
