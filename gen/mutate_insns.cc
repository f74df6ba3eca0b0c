// SPDX-License-Identifier: GPL-2.0-or-later
//
// Mutations that change single instructions of a function.
#include <algorithm>

#include "core/edit.h"
#include "gen/emitter.h"
#include "gen/mutation.h"

namespace plumb::gen {
namespace {

std::uint32_t bit_of(int reg) { return std::uint32_t{1} << reg; }

// Results of these bound an index or a size: the mask, the remainder, the shift.
bool bounds(Operation operation) {
  return operation == Operation::kAnd || operation == Operation::kMod ||
         operation == Operation::kRsh || operation == Operation::kSmod;
}

bool has_plain_immediate(const OpcodeInfo& info) {
  return info.operand == Operand::kImm &&
         (is_alu(info.operation) || is_conditional_jump(info.operation) ||
          info.operation == Operation::kStore);
}

// The operands are numbers, so that any operation on them is defined.
bool on_scalars(const PointFacts& point, const Insn& insn, const OpcodeInfo& info) {
  return point.at(insn.dst) == Holds::kScalar &&
         (info.operand != Operand::kReg || point.at(insn.src) == Holds::kScalar);
}

// A jump backwards closes a loop: its condition is what ends it.
bool closes_loop(const Insn& insn, const OpcodeInfo& info) {
  return is_jump(info.operation) && insn.offset < 0;
}

// The conditions and the operations that one row may be exchanged for: same operands, same encoding
// but for the opcode.
std::vector<Opcode> relatives(const Mutation& m, const OpcodeInfo& of, bool version_4) {
  std::vector<Opcode> rows;
  for (const OpcodeInfo& info : opcode_table()) {
    const bool same_kind =
        is_alu(of.operation) ? is_alu(info.operation) : is_conditional_jump(info.operation);
    const bool width_may_change = info.width == of.width || is_alu(of.operation);
    if (!same_kind || info.operand != of.operand || !width_may_change || info.id == of.id) continue;
    const bool moves = info.operation == Operation::kMov || info.operation == Operation::kMovsx;
    if (moves || bounds(info.operation) || info.operation == Operation::kMayGoto) continue;
    if ((info.version < 4 || version_4) && m.takes(info)) rows.push_back(info.id);
  }
  return rows;
}

bool is_wide(const Insn& insn) { return slot_count(insn) == 2; }

// Slots of a row of instructions from slot on: no jump, no exit, nothing that is jumped to but the
// first.
std::vector<std::size_t> straight_row(const Spot& spot, const std::vector<Insn>& insns,
                                      std::size_t most) {
  std::vector<std::size_t> row;
  const FunctionFacts& facts = spot.facts[spot.function];
  for (std::size_t slot = spot.slot; slot < insns.size() && row.size() < most;
       slot += static_cast<std::size_t>(slot_count(insns[slot]))) {
    const Operation operation = decode(insns[slot])->operation;
    if (is_jump(operation) || operation == Operation::kExit || operation == Operation::kThrow)
      break;
    if (slot != spot.slot && facts.targets[slot]) break;
    row.push_back(slot);
  }
  return row;
}

// Is there another store of that width to that place?
bool is_stored_twice(const std::vector<Insn>& insns, const Insn& store) {
  const std::vector<bool> starts = instruction_starts(insns);
  int count = 0;
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    if (!starts[slot]) continue;
    const OpcodeInfo& info = *decode(insns[slot]);
    count += info.operation == Operation::kStore && info.width == decode(store)->width &&
             insns[slot].dst == store.dst && insns[slot].offset == store.offset;
  }
  return count > 1;
}

bool touches_memory(const OpcodeInfo& info) {
  const Operation operation = info.operation;
  return operation == Operation::kLoad || operation == Operation::kLoadSigned ||
         operation == Operation::kStore || is_atomic(operation);
}

}  // namespace

bool mutate_insert_alu(Mutation& m) {
  const auto spot = pick_spot(m);
  if (!spot) return false;
  const PointFacts& point = spot->point();
  const int count = m.choices.range(1, 4);
  const auto code = random_alu(m, point.dead(), point.holding(Holds::kScalar) & 0x3ff, count);
  return !code.empty() && insert(m, *spot, code);
}

bool mutate_insert_branch(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot& at, const Insn&, const OpcodeInfo&) {
    return at.point().dead() != 0 && (at.point().holding(Holds::kScalar) & 0x3ff) != 0;
  });
  if (!spot) return false;
  const PointFacts& point = spot->point();
  const std::uint32_t scalars = point.holding(Holds::kScalar) & 0x3ff;
  const auto dst = static_cast<std::uint8_t>(m.choices.pick_bit(scalars));
  // Long enough, now and then, that a displacement of one byte does not do.
  const int count = m.choices.chance(25) ? m.choices.range(20, 60) : m.choices.range(1, 4);
  auto body = random_alu(m, point.dead(), scalars, count);
  const std::vector<Opcode> conditions = relatives(m, opcode_info(Opcode::kJeq64Imm), false);
  const Opcode condition = conditions[m.choices.below(conditions.size())];
  const std::int32_t immediate = draw_immediate(m.choices);
  body.insert(body.begin(),
              make_insn(condition, dst, 0, static_cast<std::int16_t>(body.size()), immediate));
  return insert(m, *spot, body);
}

bool mutate_insert_frame_access(Mutation& m) {
  const auto spot = pick_spot(m);
  if (!spot) return false;
  struct Width {
    int bytes;
    Opcode store;
    Opcode load;
  };
  constexpr Width kWidths[] = {{1, Opcode::kStoreImm8, Opcode::kLoad8},
                               {2, Opcode::kStoreImm16, Opcode::kLoad16},
                               {4, Opcode::kStoreImm32, Opcode::kLoad32},
                               {8, Opcode::kStoreImm64, Opcode::kLoad64}};
  const Width& width = kWidths[m.choices.below(std::size(kWidths))];
  const auto offset = grow_frame(function_at(m, *spot), width.bytes, width.bytes);
  if (!offset) return false;
  const std::int32_t value = draw_immediate(m.choices);
  std::vector<Insn> code{make_insn(width.store, kFramePointerRegister, 0, *offset, value)};
  if (const std::uint32_t dead = spot->point().dead(); dead != 0) {
    const auto dst = static_cast<std::uint8_t>(m.choices.pick_bit(dead));
    code.push_back(make_insn(width.load, dst, kFramePointerRegister, *offset));
  }
  return insert(m, *spot, code);
}

bool mutate_change_immediate(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot& at, const Insn& insn, const OpcodeInfo& info) {
    if (info.id == Opcode::kLoadImm64) return true;
    if (!has_plain_immediate(info) || bounds(info.operation) || closes_loop(insn, info))
      return false;
    const bool moves = info.operation == Operation::kMov;
    return moves || info.operation == Operation::kStore || on_scalars(at.point(), insn, info);
  });
  if (!spot) return false;
  const OpcodeInfo& info = *decode(insn_at(m, *spot));
  std::vector<Insn>& insns = function_at(m, *spot).insns;
  insns[spot->slot].immediate = draw_immediate_for(m.choices, info);
  if (info.id == Opcode::kLoadImm64) insns[spot->slot + 1].immediate = draw_immediate(m.choices);
  return true;
}

bool mutate_change_operation(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot& at, const Insn& insn, const OpcodeInfo& info) {
    const bool condition =
        is_conditional_jump(info.operation) && info.operation != Operation::kMayGoto;
    const bool arithmetic = is_alu(info.operation) && info.operation != Operation::kMov &&
                            info.operation != Operation::kMovsx && !bounds(info.operation) &&
                            info.selector != Selector::kImm;
    return (condition || arithmetic) && !closes_loop(insn, info) &&
           on_scalars(at.point(), insn, info);
  });
  if (!spot) return false;
  Insn& insn = function_at(m, *spot).insns[spot->slot];
  const OpcodeInfo& old = *decode(insn);
  const std::vector<Opcode> rows = relatives(m, old, uses_version_4(m.value));
  if (rows.empty()) return false;
  const OpcodeInfo& info = opcode_info(rows[m.choices.below(rows.size())]);
  std::int32_t immediate = insn.immediate;
  if (info.operand == Operand::kImm && is_alu(info.operation)) {
    immediate = draw_immediate_for(m.choices, info);
  }
  const std::int16_t offset = insn.offset;
  insn = make_insn(info.id, insn.dst, insn.src, 0, immediate);
  if (is_jump(info.operation)) insn.offset = offset;
  return true;
}

bool mutate_change_source(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot& at, const Insn& insn, const OpcodeInfo& info) {
    const bool reads = is_alu(info.operation) || is_conditional_jump(info.operation) ||
                       info.operation == Operation::kStore;
    if (!reads || info.operand != Operand::kReg || closes_loop(insn, info)) return false;
    const std::uint32_t others = at.point().holding(Holds::kScalar) & ~bit_of(insn.src);
    return at.point().at(insn.src) == Holds::kScalar && others != 0 &&
           (info.operation == Operation::kStore || info.operation == Operation::kMov ||
            info.operation == Operation::kMovsx || on_scalars(at.point(), insn, info));
  });
  if (!spot) return false;
  Insn& insn = function_at(m, *spot).insns[spot->slot];
  const std::uint32_t others = spot->point().holding(Holds::kScalar) & ~bit_of(insn.src);
  insn.src = static_cast<std::uint8_t>(m.choices.pick_bit(others));
  return true;
}

bool mutate_remove_dead(Mutation& m) {
  const auto spot = pick_spot(m, [&m](const Spot& at, const Insn& insn, const OpcodeInfo& info) {
    const Function& function = m.value.programs[at.program].functions[at.function];
    const std::size_t next = at.slot + static_cast<std::size_t>(slot_count(insn));
    if (next >= function.insns.size()) return false;
    if (is_conditional_jump(info.operation)) return insn.offset >= 0;
    const bool call =
        info.operation == Operation::kCallHelper || info.operation == Operation::kCallFunction;
    const std::uint32_t results = call ? 1 : written_registers(insn);
    return results != 0 && !is_atomic(info.operation) && (results & at.point(next).live) == 0;
  });
  if (!spot) return false;
  const auto slots = static_cast<std::size_t>(slot_count(insn_at(m, *spot)));
  return replace(m, *spot, slots, {});
}

bool mutate_remove_live(Mutation& m) {
  // The types behind the row are those before it: numbers stay numbers, and what is read back from
  // the stack was most likely written elsewhere too.
  const auto can_go = [&m](const Spot& at, std::size_t slot, const Insn& insn) {
    const std::vector<Insn>& insns = m.value.programs[at.program].functions[at.function].insns;
    const OpcodeInfo& info = *decode(insn);
    const std::size_t next = slot + static_cast<std::size_t>(slot_count(insn));
    if (next >= insns.size()) return false;
    if (info.operation == Operation::kStore) {
      return insn.dst != kFramePointerRegister || is_stored_twice(insns, insn);
    }
    const std::uint32_t results = written_registers(insn);
    const bool loads = info.operation == Operation::kLoad;
    if ((!is_alu(info.operation) && !loads) || bounds(info.operation)) return false;
    const std::uint32_t before = at.point(slot).holding(Holds::kScalar);
    const std::uint32_t after = at.point(next).holding(Holds::kScalar);
    return results != 0 && (results & ~(before & after)) == 0;
  };
  const auto spot = pick_spot(m, [&](const Spot& at, const Insn& insn, const OpcodeInfo&) {
    return can_go(at, at.slot, insn);
  });
  if (!spot) return false;
  const std::vector<Insn>& insns = function_at(m, *spot).insns;
  const auto row = straight_row(*spot, insns, 1 + m.choices.below(4));
  std::size_t slots = 0;
  for (const std::size_t slot : row) {
    if (!can_go(*spot, slot, insns[slot])) break;
    slots += static_cast<std::size_t>(slot_count(insns[slot]));
  }
  return replace(m, *spot, slots, {});
}

bool mutate_duplicate(Mutation& m) {
  // Calls twice need their arguments twice; pointers that move twice leave their objects.
  const auto repeats = [](const Spot& at, std::size_t slot, const Insn& insn) {
    const OpcodeInfo& info = *decode(insn);
    if (is_jump(info.operation) || info.operation == Operation::kExit ||
        info.operation == Operation::kThrow)
      return false;
    if (info.operation == Operation::kCallHelper || info.operation == Operation::kCallFunction) {
      return false;
    }
    if (!is_alu(info.operation) || info.operation == Operation::kMov) return true;
    return on_scalars(at.point(slot), insn, info);
  };
  const auto spot = pick_spot(m, [&](const Spot& at, const Insn& insn, const OpcodeInfo&) {
    return repeats(at, at.slot, insn);
  });
  if (!spot) return false;
  const std::vector<Insn>& insns = function_at(m, *spot).insns;
  const auto row = straight_row(*spot, insns, 1 + m.choices.below(8));
  std::vector<Insn> code;
  for (const std::size_t slot : row) {
    if (!repeats(*spot, slot, insns[slot])) break;
    const int count = slot_count(insns[slot]);
    for (int i = 0; i < count; ++i) code.push_back(insns[slot + static_cast<std::size_t>(i)]);
  }
  return replace(m, *spot, 0, code);
}

bool mutate_swap(Mutation& m) {
  const auto spot = pick_spot(m, [&m](const Spot& at, const Insn& insn, const OpcodeInfo& info) {
    const std::vector<Insn>& insns = m.value.programs[at.program].functions[at.function].insns;
    const auto row = straight_row(at, insns, 2);
    if (row.size() < 2 || is_wide(insn) || is_wide(insns[row[1]])) return false;
    const Insn& next = insns[row[1]];
    const OpcodeInfo& next_info = *decode(next);
    const auto calls = [](const OpcodeInfo& i) {
      return i.operation == Operation::kCallHelper || i.operation == Operation::kCallFunction;
    };
    if (calls(info) || calls(next_info) || (touches_memory(info) && touches_memory(next_info))) {
      return false;
    }
    const std::uint32_t first_writes = written_registers(insn);
    const std::uint32_t second_writes = written_registers(next);
    return (first_writes & (read_registers(next, 0) | second_writes)) == 0 &&
           (second_writes & read_registers(insn, 0)) == 0 && insn != next;
  });
  if (!spot) return false;
  std::vector<Insn>& insns = function_at(m, *spot).insns;
  std::swap(insns[spot->slot], insns[spot->slot + 1]);
  return true;
}

}  // namespace plumb::gen
