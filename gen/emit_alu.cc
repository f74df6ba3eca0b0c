// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <limits>
#include <vector>

#include "core/check.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

struct Rows {
  std::vector<Opcode> base;
  std::vector<Opcode> v4;
};

template <typename Keep>
Rows select_rows(Keep keep) {
  Rows rows;
  for (const OpcodeInfo& info : opcode_table()) {
    if (!keep(info)) continue;
    (info.version < 4 ? rows.base : rows.v4).push_back(info.id);
  }
  return rows;
}

const OpcodeInfo& pick_row(Emitter& e, const Rows& rows) {
  const bool v4 = e.plan.v4 && !rows.v4.empty() && e.choices.chance(40);
  return pick_form(e, v4 ? rows.v4 : rows.base);
}

bool divides(Operation operation) {
  return operation == Operation::kDiv || operation == Operation::kMod ||
         operation == Operation::kSdiv || operation == Operation::kSmod;
}

bool divides_signed(const OpcodeInfo& info) {
  return info.operation == Operation::kSdiv || info.operation == Operation::kSmod;
}

bool shifts(Operation operation) {
  return operation == Operation::kLsh || operation == Operation::kRsh ||
         operation == Operation::kArsh;
}

}  // namespace

std::int32_t draw_immediate_for(ChoiceStream& choices, const OpcodeInfo& info) {
  if (shifts(info.operation)) return choices.range(0, info.width - 1);
  const std::int32_t value = draw_immediate(choices);
  return value == 0 && divides(info.operation) ? 1 : value;
}

std::int32_t draw_immediate(ChoiceStream& choices) {
  constexpr auto kLow = std::numeric_limits<std::int32_t>::min();
  constexpr auto kHigh = std::numeric_limits<std::int32_t>::max();
  const std::array kinds{4, 4, 2};
  switch (choices.weighted(kinds)) {
    case 0:
      return choices.pick({0, 1, -1, 2, 127, 128, -128, -129, 255, 256, 32767, 32768, 65535, 65536,
                           kHigh, kLow, kLow + 1});
    case 1:
      return choices.range(-20, 20);
    default:
      return static_cast<std::int32_t>(choices.below(std::uint64_t{1} << 32));
  }
}

void emit_constant(Emitter& e, int reg) {
  if (e.choices.chance(12)) {
    const std::uint64_t value = e.choices.word();
    e.code.load_imm64(reg, value);
    return;
  }
  const bool narrow = e.choices.chance(20);
  const std::int32_t value = draw_immediate(e.choices);
  e.code.emit(narrow ? Opcode::kMov32Imm : Opcode::kMov64Imm, reg, 0, 0, value);
}

void emit_one_alu(Emitter& e) {
  static const Rows kRows = select_rows([](const OpcodeInfo& i) { return is_alu(i.operation); });
  const OpcodeInfo& info = pick_row(e, kRows);
  const bool overwrites = info.operation == Operation::kMov || info.operation == Operation::kMovsx;
  const int src = info.operand == Operand::kReg ? any_scalar(e) : 0;
  const int dst = overwrites ? result_register(e) : scalar_target(e);
  std::int32_t immediate = info.operand == Operand::kImm ? draw_immediate_for(e.choices, info) : 0;
  const bool by_register = info.operand == Operand::kReg;
  if (divides_signed(info) && (!by_register || dst != src) && e.choices.chance(30)) {
    // The lowest number has no absolute value, and by -1 no quotient.
    const int sign = info.width - 1;
    const std::int32_t by = e.choices.chance(50) ? -1 : draw_immediate_for(e.choices, info);
    e.code.load_imm64(dst, std::uint64_t{1} << sign);
    const bool can_choose = by_register && (bit(src) & (e.locked | e.held)) == 0;
    if (can_choose) e.code.emit(Opcode::kMov64Imm, src, 0, 0, by);
    if (!by_register) immediate = by;
  }
  e.code.emit(info.id, dst, src, 0, immediate);
}

void emit_alu(Emitter& e) {
  for (int count = e.choices.range(1, 4); count > 0; --count) emit_one_alu(e);
}

void emit_condition(Emitter& e, Label& to) {
  static const Rows kRows = select_rows([](const OpcodeInfo& i) {
    return is_conditional_jump(i.operation) && i.operation != Operation::kMayGoto;
  });
  const OpcodeInfo& info = pick_row(e, kRows);
  const int dst = any_scalar(e);
  const int src = info.operand == Operand::kReg ? any_scalar(e) : 0;
  const std::int32_t immediate = info.operand == Operand::kImm ? draw_immediate(e.choices) : 0;
  e.code.jump_if(info.id, dst, src, immediate, to);
}

}  // namespace plumb::gen
