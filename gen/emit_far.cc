// SPDX-License-Identifier: GPL-2.0-or-later
//
// Jumps over so much code that they take another form. On riscv64 a condition reaches 4 KiB and a
// jump 1 MiB, on arm64 a condition 1 MiB; 16 bits of the instruction itself reach 32,767 slots. The
// code in between is a row that is repeated, which a case file writes once; it never runs, by a
// condition on memory that no verifier knows.
#include <array>
#include <vector>

#include "gen/emitter.h"

namespace plumb::gen {
namespace {

// What the rows of a kind of statement may be.
struct Distance {
  int low = 0;  // slots
  int high = 0;
  int wide_low = 0;  // with the 32 bits of gotol
  int wide_high = 0;
  // Instructions that the verifier makes several of, and constants: blinding takes time that grows
  // with the square of them.
  bool has_patched = false;
};
// The native code of most rows is 4 to 48 bytes for a slot.
constexpr Distance kStretch{
    .low = 100, .high = 2'500, .wide_low = 2'500, .wide_high = 4'000, .has_patched = true};
// Of 36 and 28 bytes (compare-and-exchange on arm64 and riscv64) both sides of 1 MiB, of 124 (a
// byte swap of 64 bits on riscv64) more than that.
constexpr Distance kExpanse{.low = 22'000, .high = 32'600, .wide_low = 33'000, .wide_high = 60'000};

// The operands that one row uses; chosen in front of the jump, so that both paths know them.
struct Operands {
  Address memory;
  int scalar = 0;
};

// Slots of the instruction.
int emit_one(Emitter& e, Opcode form, const Operands& o) {
  if (form == Opcode::kLoadImm64) {
    e.code.load_imm64(o.scalar, 0x123456789abcdef0);
    return 2;
  }
  const OpcodeInfo& info = opcode_info(form);
  const bool reaches_memory = is_atomic(info.operation) || info.operation == Operation::kStore;
  const bool has_source = info.operand == Operand::kReg || info.operand == Operand::kMem;
  const int source = has_source ? o.scalar : 0;
  constexpr std::int32_t kLarge = 0x12345678;
  std::int32_t immediate = info.operand == Operand::kImm ? kLarge : 0;
  if (info.selector == Selector::kImm) immediate = info.selector_value;
  if (reaches_memory) {
    e.code.emit(form, o.memory.reg, source, o.memory.offset, immediate);
  } else {
    e.code.emit(form, o.scalar, source, 0, immediate);
  }
  return 1;
}

bool exchanges(Opcode form) { return opcode_info(form).operation == Operation::kCmpxchg; }

std::vector<Opcode> draw_row(Emitter& e, const Distance& distance) {
  std::vector<Opcode> forms{Opcode::kXor64Reg, Opcode::kAdd64Reg, Opcode::kStore64};
  const auto add = [&](std::initializer_list<Opcode> more) {
    for (const Opcode form : more) {
      if (takes(e, form)) forms.push_back(form);
    }
  };
  add({Opcode::kAtomicXorFetch64, Opcode::kAtomicAdd64, Opcode::kAtomicOrFetch64});
  if (distance.has_patched) {
    add({Opcode::kDiv64Reg, Opcode::kMod64Imm, Opcode::kStoreImm64, Opcode::kLoadImm64});
  }
  const bool may_exchange = takes(e, Opcode::kCmpxchg64) && (e.locked & bit(0)) == 0;
  if (may_exchange && e.choices.chance(60)) return {Opcode::kCmpxchg64};
  if (e.choices.chance(40)) return {Opcode::kToBe64};
  std::vector<Opcode> row;
  for (int n = e.choices.range(1, 3); n > 0; --n)
    row.push_back(forms[e.choices.below(forms.size())]);
  return row;
}

// A condition that holds, or never does: the count of activations is small.
void jump_by_count(Emitter& e, bool holds, Label& to) {
  struct Comparison {
    Opcode form;
    std::int32_t with;
    bool holds;
  };
  constexpr std::array kComparisons{
      Comparison{Opcode::kJne64Imm, 1 << 30, true},  Comparison{Opcode::kJsgt64Imm, -1, true},
      Comparison{Opcode::kJlt64Imm, 1 << 30, true},  Comparison{Opcode::kJeq64Imm, -1, false},
      Comparison{Opcode::kJgt64Imm, 1 << 30, false}, Comparison{Opcode::kJslt64Imm, 0, false}};
  std::vector<Comparison> fitting;
  for (const Comparison& c : kComparisons) {
    if (c.holds == holds && takes(e, c.form)) fitting.push_back(c);
  }
  const Comparison& c = fitting[e.choices.below(fitting.size())];
  const int reg = scratch(e);
  e.code.load_region(reg, 0, 0);
  e.code.emit(Opcode::kLoad64, reg, reg, kCounterOffset);
  e.code.jump_if(c.form, reg, 0, c.with, to);
}

// The row, for that many slots. It costs nothing, since it does not run.
void emit_row(Emitter& e, const std::vector<Opcode>& row, const Operands& operands, int slots) {
  const std::uint64_t before = e.code.cost();
  for (int done = 0; done < slots;) {
    for (const Opcode form : row) done += emit_one(e, form, operands);
  }
  e.code.repeat_cost(before, 0);
}

enum class Form { kSkip, kAlternative, kLeave };

void emit_far_jump(Emitter& e, const Distance& distance) {
  const RegisterSet held = e.held;
  const std::vector<Opcode> row = draw_row(e, distance);
  Operands operands;
  if (exchanges(row.front())) {
    if (!e.code.at(0).is_scalar()) emit_constant(e, 0);
    e.held |= bit(0);
  }
  operands.scalar = scalar_target(e);
  e.held |= bit(operands.scalar);
  operands.memory = find_address(e, Access::kAtomic, 8);
  if (operands.memory.reg != kFramePointerRegister) e.held |= bit(operands.memory.reg);
  const auto form = static_cast<Form>(e.choices.pick({0, 0, 0, 1, 1, 2}));
  // A loop goes back by 16 bits.
  const bool wide =
      form == Form::kAlternative && e.loops == 0 && e.plan.v4 && takes(e, Opcode::kJal);
  const int slots = wide ? e.choices.range(distance.wide_low, distance.wide_high)
                         : e.choices.range(distance.low, distance.high);
  Label behind;
  if (form == Form::kSkip) {
    jump_by_count(e, true, behind);
    emit_row(e, row, operands, slots);
  } else {
    Label otherwise;
    jump_by_count(e, false, otherwise);
    // The way out of the function is the far one, or the jump over the alternative.
    if (form == Form::kLeave) {
      emit_exit(e, true);
    } else {
      e.code.jump(behind, wide);
    }
    e.code.place(otherwise);
    emit_row(e, row, operands, slots);
  }
  e.code.place(behind);
  e.held = held;
}

// Nothing jumps over a far jump but its own loop: two of them are more than 16 bits reach.
void emit_far(Emitter& e, const Distance& distance) {
  if (e.blocks > 0 || e.loops > 0) return emit_alu(e);
  if (e.choices.chance(35)) {
    emit_loop_around(e, [&] {
      if (e.loops == 0) return;
      emit_far_jump(e, distance);
    });
  } else {
    emit_far_jump(e, distance);
  }
}

}  // namespace

void emit_stretch(Emitter& e) { emit_far(e, kStretch); }

void emit_expanse(Emitter& e) { emit_far(e, kExpanse); }

}  // namespace plumb::gen
