// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/emitter.h"

namespace plumb::gen {

const OpcodeInfo& pick_form(Emitter& e, const std::vector<Opcode>& forms) {
  for (;;) {
    const Opcode form = forms[e.choices.below(forms.size())];
    if (takes(e, form)) return opcode_info(form);
  }
}

RegisterSet scalars(const Emitter& e) {
  RegisterSet set = 0;
  for (int reg = 0; reg < kFramePointerRegister; ++reg) {
    if (e.code.at(reg).is_scalar()) set |= bit(reg);
  }
  return set;
}

int scratch(Emitter& e) { return e.choices.pick_bit(kScratchRegisters & ~(e.locked | e.held)); }

int any_scalar(Emitter& e) {
  const RegisterSet set = scalars(e);
  if (set != 0) return e.choices.pick_bit(set);
  const int reg = scratch(e);
  emit_constant(e, reg);
  return reg;
}

int scalar_target(Emitter& e) {
  const RegisterSet set = scalars(e) & ~(e.locked | e.held);
  if (set != 0) return e.choices.pick_bit(set);
  const int reg = scratch(e);
  emit_constant(e, reg);
  return reg;
}

int result_register(Emitter& e) {
  const RegisterSet saved = scalars(e) & kSavedRegisters;
  return e.choices.pick_bit((kScratchRegisters | saved) & ~(e.locked | e.held));
}

void keep(Emitter& e, int reg) {
  const Hold hold(e, reg);
  const RegisterSet saved = scalars(e) & kSavedRegisters & ~(e.locked | e.held);
  if (saved != 0 && e.choices.chance(60)) {
    const int into = e.choices.pick_bit(saved);
    const bool adds = e.choices.chance(50);
    e.code.emit(adds ? Opcode::kAdd64Reg : Opcode::kXor64Reg, into, reg);
    return;
  }
  if (e.choices.chance(70)) {
    const Address to = find_address(e, Access::kWrite, 8);
    e.code.emit(Opcode::kStore64, to.reg, reg, to.offset);
  }
}

}  // namespace plumb::gen
