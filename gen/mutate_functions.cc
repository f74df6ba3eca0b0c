// SPDX-License-Identifier: GPL-2.0-or-later
//
// Mutations that change which functions there are and who calls whom.
#include <algorithm>
#include <array>
#include <bit>

#include "core/edit.h"
#include "core/helper_model.h"
#include "core/reduce.h"
#include "core/stack_depth.h"
#include "gen/emitter.h"
#include "gen/mutation.h"

namespace plumb::gen {
namespace {

constexpr int kMostRow = 12;

std::uint32_t bit_of(int reg) { return std::uint32_t{1} << reg; }

// Leaves nothing behind but R0, a number.
bool is_plain_helper(std::int32_t number) {
  const HelperInfo* helper = find_helper(number);
  return helper != nullptr && number != kTailCallHelper && number != kLoopHelper &&
         std::ranges::none_of(helper->args, [](HelperArg a) { return a == HelperArg::kWriteMem; });
}

Insn store_slot(int reg, std::int16_t offset) {
  return make_insn(Opcode::kStore64, kFramePointerRegister, static_cast<std::uint8_t>(reg), offset);
}
Insn load_slot(int reg, std::int16_t offset) {
  return make_insn(Opcode::kLoad64, static_cast<std::uint8_t>(reg), kFramePointerRegister, offset);
}

// A call at the point, with the live registers saved around it.
bool insert_call_of(Mutation& m, const Spot& spot, int callee, const PointFacts& entry) {
  auto body = arguments_for(m, spot.point(), entry);
  if (!body) return false;
  body->push_back(call_function(callee));
  const auto code = saving(m, function_at(m, spot), spot.point(), spot.point().live, *body);
  return code && insert(m, spot, *code);
}

// An access with R10 as its base.
bool uses_frame(const Insn& insn, const OpcodeInfo& info) {
  const bool loads = info.operation == Operation::kLoad || info.operation == Operation::kLoadSigned;
  const bool stores = info.operation == Operation::kStore || is_atomic(info.operation);
  return (loads || stores) && (loads ? insn.src : insn.dst) == kFramePointerRegister;
}

// Accesses by R10 below the new depth move up together, onto what lies above. What has its address
// taken stays: the code does not show how long it is. False: no room.
bool move_up(std::vector<Insn>& insns, int depth) {
  const std::vector<bool> starts = instruction_starts(insns);
  int lowest = -depth;
  int step = 1;  // the widest of them: they stay aligned, and no object is torn
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    if (!starts[slot] || insns[slot].offset >= -depth) continue;
    const OpcodeInfo& info = *decode(insns[slot]);
    if (!uses_frame(insns[slot], info)) continue;
    lowest = std::min<int>(lowest, insns[slot].offset);
    step = std::max(step, info.width / 8);
  }
  const int limit = -(depth / step * step);
  const int distance = (-depth - lowest + step - 1) / step * step;
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    if (!starts[slot] || insns[slot].offset >= limit) continue;
    const OpcodeInfo& info = *decode(insns[slot]);
    if (!uses_frame(insns[slot], info)) continue;
    insns[slot].offset = static_cast<std::int16_t>(insns[slot].offset + distance);
    if (insns[slot].offset + info.width / 8 > 0) return false;
  }
  return infer_stack_depth(insns) <= -limit;
}

// ---- split ----

// A row of instructions that can become a function of its own.
struct Row {
  std::size_t slots = 0;
  std::uint32_t inputs = 0;  // registers that it reads before it writes them
  std::uint32_t written = 0;
  std::uint32_t outputs = 0;  // written, and live behind it
};

bool can_move(const Spot& spot, std::size_t slot, const Insn& insn, const OpcodeInfo& info) {
  if (is_jump(info.operation) || info.operation == Operation::kExit ||
      info.operation == Operation::kThrow || info.operation == Operation::kCallHelper ||
      info.operation == Operation::kCallFunction || info.operation == Operation::kCmpxchg ||
      info.group == Group::kPacket) {
    return false;
  }
  if (slot != spot.slot && spot.facts[spot.function].targets[slot]) return false;
  const std::uint32_t touched = written_registers(insn) | read_registers(insn, 0);
  return (touched & bit_of(kFramePointerRegister)) == 0;
}

// The longest one of at most `most` instructions from the spot on that has up to five inputs and
// one result, a number.
std::optional<Row> find_row(const Spot& spot, const std::vector<Insn>& insns, int most) {
  std::optional<Row> best;
  Row row;
  std::size_t slot = spot.slot;
  for (int count = 0; count < most && slot < insns.size(); ++count) {
    const Insn& insn = insns[slot];
    if (!can_move(spot, slot, insn, *decode(insn))) break;
    row.inputs |= read_registers(insn, 0) & ~row.written;
    row.written |= written_registers(insn);
    slot += static_cast<std::size_t>(slot_count(insn));
    if (slot >= insns.size()) break;
    row.slots = slot - spot.slot;
    const PointFacts& behind = spot.point(slot);
    row.outputs = row.written & behind.live;
    if ((row.inputs & spot.point().holding(Holds::kNothing)) != 0) break;
    if (std::popcount(row.inputs) > 5) break;
    const bool number = (row.outputs & ~behind.holding(Holds::kScalar)) == 0;
    if (std::popcount(row.outputs) <= 1 && number && behind.reached()) best = row;
  }
  return best;
}

// Register names of the new function: inputs become R1 ..., the others what is left.
std::array<std::uint8_t, kRegisterCount> renaming(std::uint32_t inputs) {
  std::array<std::uint8_t, kRegisterCount> names{};
  const int arguments = std::popcount(inputs);
  std::uint8_t next_input = 1;
  std::array<std::uint8_t, 10> rest{};
  std::size_t count = 0;
  for (int reg = 0; reg < 10; ++reg) {
    if (reg == 0 || reg > arguments) rest[count++] = static_cast<std::uint8_t>(reg);
  }
  std::size_t next_rest = 0;
  for (int reg = 0; reg < 10; ++reg) {
    const bool input = (inputs & bit_of(reg)) != 0;
    names[static_cast<std::size_t>(reg)] = input ? next_input++ : rest[next_rest++];
  }
  names[kFramePointerRegister] = kFramePointerRegister;
  return names;
}

std::vector<Insn> renamed_row(std::span<const Insn> row, const Row& facts) {
  const auto names = renaming(facts.inputs);
  std::vector<Insn> code(row.begin(), row.end());
  const std::vector<bool> starts = instruction_starts(code);
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (!starts[i]) continue;
    const OpcodeInfo& info = *decode(code[i]);
    code[i].dst = names[code[i].dst];
    const bool reads_src = info.operand == Operand::kReg || info.operation == Operation::kLoad ||
                           info.operation == Operation::kLoadSigned;
    if (reads_src) code[i].src = names[code[i].src];
  }
  if (facts.outputs != 0) {
    code.push_back(
        move_register(0, names[static_cast<std::size_t>(std::countr_zero(facts.outputs))]));
  } else {
    code.push_back(make_insn(Opcode::kMov64Imm));
  }
  code.push_back(make_insn(Opcode::kExit));
  return code;
}

// Through new stack, so that no argument overwrites the next one.
std::optional<std::vector<Insn>> pass_inputs(Function& function, std::uint32_t inputs) {
  std::vector<Insn> code;
  std::vector<Insn> loads;
  int argument = 1;
  for (int reg = 0; reg < 10; ++reg) {
    if ((inputs & bit_of(reg)) == 0) continue;
    const auto offset = grow_frame(function, 8, 8);
    if (!offset) return std::nullopt;
    code.push_back(store_slot(reg, *offset));
    loads.push_back(load_slot(argument++, *offset));
  }
  code.insert(code.end(), loads.begin(), loads.end());
  return code;
}

// ---- inline ----

// The callee's code as part of the caller: its frame lies below the caller's, exits go to the end.
std::optional<std::vector<Insn>> inlined_body(const Function& callee, int frame_offset) {
  std::vector<Insn> code = callee.insns;
  for (std::size_t slot = code.size(); slot-- > 0;) {
    if (!instruction_starts(code)[slot]) continue;
    const Insn insn = code[slot];
    const OpcodeInfo& info = *decode(insn);
    const std::uint32_t touched = written_registers(insn) | read_registers(insn, 0);
    if ((touched & bit_of(kFramePointerRegister)) == 0) continue;
    if (info.id == Opcode::kMov64Reg && insn.dst != kFramePointerRegister) {
      const std::array moved{insn, make_insn(Opcode::kAdd64Imm, insn.dst, 0, 0, -frame_offset)};
      if (!splice(code, slot, slot + 1, moved)) return std::nullopt;
      continue;
    }
    const bool load =
        info.operation == Operation::kLoad || info.operation == Operation::kLoadSigned;
    const bool store = info.operation == Operation::kStore || is_atomic(info.operation);
    const bool only_base =
        load || (store && (info.operand != Operand::kReg || insn.src != kFramePointerRegister));
    if (!only_base) return std::nullopt;
    code[slot].offset = static_cast<std::int16_t>(insn.offset - frame_offset);
  }
  const std::vector<bool> starts = instruction_starts(code);
  for (std::size_t slot = 0; slot < code.size(); ++slot) {
    if (!starts[slot] || decode(code[slot])->operation != Operation::kExit) continue;
    code[slot] = make_insn(Opcode::kJa, 0, 0, static_cast<std::int16_t>(code.size() - slot - 1));
  }
  return code;
}

}  // namespace

bool mutate_grow_stack(Mutation& m) {
  const std::size_t program = m.choices.below(m.value.programs.size());
  std::vector<Function>& functions = m.value.programs[program].functions;
  Function& function = functions[m.choices.below(functions.size())];
  const int most = kMaxStackDepth - function.stack_depth;
  if (most <= 0) return false;
  const int more =
      m.choices.chance(70) ? m.choices.range(1, std::min(most, 40)) : m.choices.range(1, most);
  function.stack_depth += more;
  return true;
}

bool mutate_shrink_stack(Mutation& m) {
  const std::size_t program = m.choices.below(m.value.programs.size());
  std::vector<Function*> deep;
  for (Function& function : m.value.programs[program].functions) {
    if (function.stack_depth > 0) deep.push_back(&function);
  }
  if (deep.empty()) return false;
  Function& function = *deep[m.choices.below(deep.size())];
  function.stack_depth -= m.choices.range(1, std::min(function.stack_depth, 40));
  return move_up(function.insns, function.stack_depth);
}

bool mutate_insert_helper(Mutation& m) {
  const auto spot = pick_spot(m);
  if (!spot) return false;
  const std::vector<Insn> body{
      make_insn(Opcode::kCallHelper, 0, 0, 0, m.choices.pick({5, 7, 14, 118}))};
  const auto code = saving(m, function_at(m, *spot), spot->point(), spot->point().live, body);
  return code && insert(m, *spot, *code);
}

bool mutate_insert_call(Mutation& m) {
  const auto spot = pick_spot(m, [&m](const Spot& at, const Insn&, const OpcodeInfo&) {
    return m.value.programs[at.program].functions.size() > 1;
  });
  if (!spot) return false;
  const std::size_t count = m.value.programs[spot->program].functions.size();
  const std::size_t callee = 1 + m.choices.below(count - 1);
  if (callee == spot->function) return false;
  return insert_call_of(m, *spot, static_cast<int>(callee), spot->facts[callee].points[0]);
}

bool mutate_add_function(Mutation& m) {
  const auto spot = pick_spot(m);
  if (!spot) return false;
  const auto callee = append_leaf(m, spot->program);
  return callee && insert_call_of(m, *spot, *callee, {});
}

bool mutate_helper_to_call(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot&, const Insn& insn, const OpcodeInfo& info) {
    return info.operation == Operation::kCallHelper && is_plain_helper(insn.immediate);
  });
  if (!spot) return false;
  const auto callee = append_leaf(m, spot->program);
  if (!callee) return false;
  function_at(m, *spot).insns[spot->slot] = call_function(*callee);
  return true;
}

bool mutate_split_function(Mutation& m) {
  const auto spot = pick_spot(m, [&m](const Spot& at, const Insn&, const OpcodeInfo&) {
    const Program& program = m.value.programs[at.program];
    const auto row = find_row(at, program.functions[at.function].insns, 3);
    return row && row->slots >= 2 && program.functions.size() < kMaxFunctions;
  });
  if (!spot) return false;
  std::vector<Function>& functions = m.value.programs[spot->program].functions;
  const int most = m.choices.range(2, kMostRow);
  const auto row = find_row(*spot, function_at(m, *spot).insns, most);
  if (!row) return false;
  const auto moved = std::span(function_at(m, *spot).insns).subspan(spot->slot, row->slots);
  Function part{
      .name = fresh_name(m.value, "f"), .insns = renamed_row(moved, *row), .stack_depth = 0};
  auto body = pass_inputs(function_at(m, *spot), row->inputs);
  if (!body) return false;
  body->push_back(call_function(static_cast<int>(functions.size())));
  if (row->outputs != 0 && row->outputs != 1) {
    body->push_back(move_register(std::countr_zero(row->outputs), 0));
  }
  const std::uint32_t live = spot->point(spot->slot + row->slots).live & ~row->outputs;
  // What is saved must not lie where the result goes.
  PointFacts before = spot->point();
  before.live |= row->outputs | live;
  const auto code = saving(m, function_at(m, *spot), before, live, *body);
  if (!code || !replace(m, *spot, row->slots, *code)) return false;
  functions.push_back(std::move(part));
  return true;
}

bool mutate_inline_function(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot&, const Insn&, const OpcodeInfo& info) {
    return info.operation == Operation::kCallFunction;
  });
  if (!spot) return false;
  Function& caller = function_at(m, *spot);
  const Insn call = insn_at(m, *spot);
  const Function& callee =
      m.value.programs[spot->program].functions[static_cast<std::size_t>(call.immediate)];
  const auto frame = grow_frame(caller, 0, 8);
  if (!frame) return false;
  auto body = inlined_body(callee, -*frame);
  if (!body || caller.stack_depth + callee.stack_depth > kMaxStackDepth) return false;
  caller.stack_depth += callee.stack_depth;
  // The callee left R6 ... R9 as they were.
  std::vector<Insn> code;
  std::vector<Insn> restore;
  const std::uint32_t live = spot->point(spot->slot + 1).live;
  for (int reg = 6; reg <= 9; ++reg) {
    if ((live & bit_of(reg)) == 0 || spot->point().at(reg) == Holds::kNothing) continue;
    const auto offset = grow_frame(caller, 8, 8);
    if (!offset) return false;
    code.push_back(store_slot(reg, *offset));
    restore.push_back(load_slot(reg, *offset));
  }
  code.insert(code.end(), body->begin(), body->end());
  code.insert(code.end(), restore.begin(), restore.end());
  return replace(m, *spot, 1, code);
}

bool mutate_remove_function(Mutation& m) {
  const std::size_t program = m.choices.below(m.value.programs.size());
  const std::size_t count = m.value.programs[program].functions.size();
  if (count < 2) return false;
  const std::size_t function = 1 + m.choices.below(count - 1);
  // Its address is gone too: where it was called back, nothing useful is left.
  for (const Function& other : m.value.programs[program].functions) {
    const std::vector<bool> starts = instruction_starts(other.insns);
    for (std::size_t slot = 0; slot < starts.size(); ++slot) {
      if (!starts[slot] || decode(other.insns[slot])->operation != Operation::kLoadFunction)
        continue;
      if (std::cmp_equal(other.insns[slot].immediate, function)) return false;
    }
  }
  auto smaller = without_function(m.value, static_cast<int>(program), static_cast<int>(function));
  if (!smaller) return false;
  m.value = *std::move(smaller);
  return true;
}

}  // namespace plumb::gen
