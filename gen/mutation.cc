// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/mutation.h"

#include <algorithm>
#include <bit>
#include <set>

#include "core/edit.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

constexpr std::uint32_t kCalleeSaved = 0x3c0;
constexpr std::uint32_t kCallerSaved = 0x3f;

std::uint32_t bit_of(int reg) { return std::uint32_t{1} << reg; }

// Of the rows of arithmetic, those that may be used.
std::vector<Opcode> alu_rows(bool version_4) {
  std::vector<Opcode> rows;
  for (const OpcodeInfo& info : opcode_table()) {
    if (is_alu(info.operation) && (version_4 || info.version < 4)) rows.push_back(info.id);
  }
  return rows;
}

bool overwrites(Operation operation) {
  return operation == Operation::kMov || operation == Operation::kMovsx;
}

}  // namespace

Function& function_at(Mutation& m, const Spot& spot) {
  return m.value.programs[spot.program].functions[spot.function];
}

const Insn& insn_at(const Mutation& m, const Spot& spot) {
  return m.value.programs[spot.program].functions[spot.function].insns[spot.slot];
}

std::optional<Spot> pick_spot(Mutation& m, const SpotFilter& likes) {
  const std::size_t count = m.value.programs.size();
  const std::size_t first = m.choices.below(count);
  for (std::size_t i = 0; i < count; ++i) {
    Spot spot{.program = (first + i) % count, .function = 0, .slot = 0, .facts = {}};
    const Program& program = m.value.programs[spot.program];
    spot.facts = analyse(program);
    std::vector<std::pair<std::size_t, std::size_t>> liked;
    for (spot.function = 0; spot.function < program.functions.size(); ++spot.function) {
      const FunctionFacts& facts = spot.facts[spot.function];
      for (spot.slot = 0; spot.slot < facts.points.size(); ++spot.slot) {
        if (!facts.starts[spot.slot] || !spot.point().reached()) continue;
        const Insn& insn = program.functions[spot.function].insns[spot.slot];
        if (likes(spot, insn, *decode(insn))) liked.emplace_back(spot.function, spot.slot);
      }
    }
    if (liked.empty()) continue;
    std::tie(spot.function, spot.slot) = liked[m.choices.below(liked.size())];
    return spot;
  }
  return std::nullopt;
}

std::optional<Spot> pick_spot(Mutation& m) {
  return pick_spot(m, [](const Spot&, const Insn&, const OpcodeInfo&) { return true; });
}

bool insert(Mutation& m, const Spot& spot, std::span<const Insn> code) {
  const Insn& insn = insn_at(m, spot);
  if (is_jump(decode(insn)->operation) || slot_count(insn) == 2 || m.choices.chance(50)) {
    return replace(m, spot, 0, code);
  }
  std::vector<Insn> with(code.begin(), code.end());
  with.push_back(insn);
  return replace(m, spot, 1, with);
}

bool replace(Mutation& m, const Spot& spot, std::size_t slots, std::span<const Insn> code) {
  std::vector<Insn>& insns = function_at(m, spot).insns;
  return splice(insns, spot.slot, spot.slot + slots, code);
}

std::optional<std::int16_t> grow_frame(Function& function, int bytes, int alignment) {
  const int end = function.stack_depth + bytes;
  const int depth = (end + alignment - 1) / alignment * alignment;
  if (depth > kMaxStackDepth) return std::nullopt;
  function.stack_depth = depth;
  return static_cast<std::int16_t>(-depth);
}

std::optional<std::vector<Insn>> saving(Mutation& m, Function& function, const PointFacts& before,
                                        std::uint32_t live, std::span<const Insn> body) {
  std::vector<Insn> code;
  std::vector<Insn> restore;
  std::uint32_t free = before.dead() & kCalleeSaved & ~live;
  for (int reg = 0; reg < 6; ++reg) {
    if ((live & kCallerSaved & bit_of(reg)) == 0 || before.at(reg) == Holds::kNothing) continue;
    if (free != 0 && m.choices.chance(60)) {
      const int into = m.choices.pick_bit(free);
      free &= ~bit_of(into);
      code.push_back(move_register(into, reg));
      restore.push_back(move_register(reg, into));
      continue;
    }
    const auto offset = grow_frame(function, 8, 8);
    if (!offset) return std::nullopt;
    const auto from = static_cast<std::uint8_t>(reg);
    code.push_back(make_insn(Opcode::kStore64, kFramePointerRegister, from, *offset));
    restore.push_back(make_insn(Opcode::kLoad64, from, kFramePointerRegister, *offset));
  }
  code.insert(code.end(), body.begin(), body.end());
  code.insert(code.end(), restore.begin(), restore.end());
  return code;
}

std::vector<Insn> random_alu(Mutation& m, std::uint32_t targets, std::uint32_t scalars, int count) {
  static const std::vector<Opcode> kRows = alu_rows(false);
  static const std::vector<Opcode> kAllRows = alu_rows(true);
  const std::vector<Opcode>& rows = uses_version_4(m.value) ? kAllRows : kRows;
  std::vector<Insn> code;
  if (targets == 0) return code;
  for (; count > 0; --count) {
    const auto dst = static_cast<std::uint8_t>(m.choices.pick_bit(targets));
    const OpcodeInfo* info = nullptr;
    while (info == nullptr || !m.takes(*info)) {
      info = &opcode_info(rows[m.choices.below(rows.size())]);
    }
    const bool needs_old = !overwrites(info->operation) && (scalars & bit_of(dst)) == 0;
    const bool needs_source = info->operand == Operand::kReg && scalars == 0;
    if (needs_old || needs_source) info = &opcode_info(Opcode::kMov64Imm);
    const auto src = info->operand == Operand::kReg
                         ? static_cast<std::uint8_t>(m.choices.pick_bit(scalars))
                         : std::uint8_t{0};
    const std::int32_t immediate =
        info->operand == Operand::kImm ? draw_immediate_for(m.choices, *info) : 0;
    code.push_back(make_insn(info->id, dst, src, 0, immediate));
    scalars |= bit_of(dst);
  }
  return code;
}

bool uses_version_4(const Case& value) {
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      const std::vector<bool> starts = instruction_starts(function.insns);
      for (std::size_t slot = 0; slot < starts.size(); ++slot) {
        if (starts[slot] && decode(function.insns[slot])->version >= 4) return true;
      }
    }
  }
  return false;
}

std::optional<std::vector<Insn>> arguments_for(Mutation& m, const PointFacts& here,
                                               const PointFacts& callee_entry) {
  std::vector<Insn> code;
  std::uint32_t written = 0;
  for (int reg = 1; reg <= 5; ++reg) {
    if ((callee_entry.live & bit_of(reg)) == 0) continue;
    const Holds wanted = callee_entry.at(reg);
    const auto to = static_cast<std::uint8_t>(reg);
    if (wanted == Holds::kScalar || wanted == Holds::kUnreached) {
      const std::uint32_t scalars = here.holding(Holds::kScalar) & ~written;
      if (scalars != 0 && m.choices.chance(50)) {
        code.push_back(move_register(reg, m.choices.pick_bit(scalars)));
      } else {
        const std::int32_t number = draw_immediate(m.choices);
        code.push_back(make_insn(Opcode::kMov64Imm, to, 0, 0, number));
      }
    } else if (wanted == Holds::kContext) {
      const std::uint32_t contexts = here.holding(Holds::kContext) & ~written;
      if (contexts == 0) return std::nullopt;
      code.push_back(move_register(reg, m.choices.pick_bit(contexts)));
    } else {
      return std::nullopt;
    }
    written |= bit_of(reg);
  }
  return code;
}

std::string fresh_name(const Case& value, std::string_view prefix) {
  std::set<std::string_view> names;
  for (const ProgArray& array : value.arrays) names.insert(array.name);
  for (const Region& region : value.regions) names.insert(region.name);
  for (const Program& program : value.programs) {
    names.insert(program.name);
    for (const Function& function : program.functions) names.insert(function.name);
  }
  for (std::size_t n = 0;; ++n) {
    std::string name = std::string(prefix) + std::to_string(n);
    if (!names.contains(name)) return name;
  }
}

std::optional<int> append_leaf(Mutation& m, std::size_t program) {
  std::vector<Function>& functions = m.value.programs[program].functions;
  if (functions.size() >= kMaxFunctions) return std::nullopt;
  Function leaf{.name = fresh_name(m.value, "f"), .insns = {}, .stack_depth = 0};
  // Any registers, callee-saved ones too, but for R10.
  const auto targets = static_cast<std::uint32_t>(m.choices.below(0x400)) | 1;
  leaf.insns = random_alu(m, targets, 0, m.choices.range(0, 6));
  if (m.choices.chance(40)) {
    const int bytes = m.choices.range(1, 40);
    leaf.stack_depth = bytes;
    const std::int32_t value = draw_immediate(m.choices);
    leaf.insns.push_back(make_insn(Opcode::kStoreImm8, kFramePointerRegister, 0,
                                   static_cast<std::int16_t>(-bytes), value));
  }
  if (m.choices.chance(30)) {
    leaf.insns.push_back(make_insn(Opcode::kCallHelper, 0, 0, 0, m.choices.pick({5, 7, 14, 118})));
  }
  const std::int32_t result = draw_immediate(m.choices);
  leaf.insns.push_back(make_insn(Opcode::kMov64Imm, 0, 0, 0, result));
  leaf.insns.push_back(make_insn(Opcode::kExit));
  functions.push_back(std::move(leaf));
  return static_cast<int>(functions.size()) - 1;
}

Insn move_register(int dst, int src) {
  return make_insn(Opcode::kMov64Reg, static_cast<std::uint8_t>(dst),
                   static_cast<std::uint8_t>(src));
}

Insn call_function(int function) { return make_insn(Opcode::kCallFunction, 0, 0, 0, function); }

}  // namespace plumb::gen
