// SPDX-License-Identifier: GPL-2.0-or-later
//
// Mutations around tail calls, programs and memory.
#include <algorithm>

#include "core/helper_model.h"
#include "core/reduce.h"
#include "gen/emitter.h"
#include "gen/mutation.h"

namespace plumb::gen {
namespace {

std::uint32_t bit_of(int reg) { return std::uint32_t{1} << reg; }

bool has_context(const PointFacts& point) { return (point.holding(Holds::kContext) & 0x3ff) != 0; }

// Small powers, and what lies beside them.
int draw_array_size(ChoiceStream& choices) {
  const int size = choices.pick({1, 2, 3, 4, 7, 8, 33, 255, kMaxArraySlots});
  return choices.chance(50) ? choices.range(1, 6) : size;
}

int draw_program(Mutation& m) {
  if (m.choices.chance(20)) return kNoProgram;
  return static_cast<int>(m.choices.below(m.value.programs.size()));
}

// An array of the case, or a new one.
std::optional<int> some_array(Mutation& m) {
  std::vector<ProgArray>& arrays = m.value.arrays;
  if (!arrays.empty() && (arrays.size() == kMaxArrays || m.choices.chance(75))) {
    return static_cast<int>(m.choices.below(arrays.size()));
  }
  if (arrays.size() >= kMaxArrays) return std::nullopt;
  ProgArray added{.name = fresh_name(m.value, "jmp"), .slots = {}};
  for (int size = m.choices.range(1, 4); size > 0; --size) added.slots.push_back(draw_program(m));
  arrays.push_back(std::move(added));
  return static_cast<int>(arrays.size()) - 1;
}

std::int32_t draw_key(Mutation& m, int array) {
  const auto size = static_cast<int>(m.value.arrays[static_cast<std::size_t>(array)].slots.size());
  return m.choices.chance(75) ? m.choices.range(0, size - 1) : m.choices.pick({size, -1, 1 << 20});
}

// The tail call itself; R0 ... R5 are nothing afterwards.
std::optional<std::vector<Insn>> tail_call_code(Mutation& m, const PointFacts& point) {
  const auto array = some_array(m);
  if (!array) return std::nullopt;
  const int context = m.choices.pick_bit(point.holding(Holds::kContext));
  const std::int32_t key = draw_key(m, *array);
  return std::vector<Insn>{move_register(1, context),
                           make_insn(Opcode::kLoadArray, 2, 0, 0, *array), Insn{},
                           make_insn(Opcode::kMov64Imm, 3, 0, 0, key),
                           make_insn(Opcode::kCallHelper, 0, 0, 0, kTailCallHelper)};
}

std::uint8_t draw_byte(ChoiceStream& choices) {
  if (choices.chance(50)) return static_cast<std::uint8_t>(choices.below(256));
  return static_cast<std::uint8_t>(choices.pick({0, 1, 0x7f, 0x80, 0xff, 33, 34}));
}

}  // namespace

bool mutate_insert_tail_call(Mutation& m) {
  const auto spot = pick_spot(
      m, [](const Spot& at, const Insn&, const OpcodeInfo&) { return has_context(at.point()); });
  if (!spot) return false;
  const auto body = tail_call_code(m, spot->point());
  if (!body) return false;
  const auto code = saving(m, function_at(m, *spot), spot->point(), spot->point().live, *body);
  return code && insert(m, *spot, *code);
}

bool mutate_helper_to_tail_call(Mutation& m) {
  const auto spot = pick_spot(m, [](const Spot& at, const Insn& insn, const OpcodeInfo& info) {
    const HelperInfo* helper =
        info.operation == Operation::kCallHelper ? find_helper(insn.immediate) : nullptr;
    return helper != nullptr && insn.immediate != kTailCallHelper && has_context(at.point()) &&
           std::ranges::none_of(helper->args,
                                [](HelperArg a) { return a == HelperArg::kWriteMem; });
  });
  if (!spot) return false;
  auto body = tail_call_code(m, spot->point());
  if (!body) return false;
  if ((spot->point(spot->slot + 1).live & bit_of(0)) != 0) {
    const std::int32_t result = draw_immediate(m.choices);
    body->push_back(make_insn(Opcode::kMov64Imm, 0, 0, 0, result));
  }
  return replace(m, *spot, 1, *body);
}

bool mutate_edit_slot(Mutation& m) {
  if (m.value.arrays.empty()) return false;
  ProgArray& array = m.value.arrays[m.choices.below(m.value.arrays.size())];
  int& slot = array.slots[m.choices.below(array.slots.size())];
  const int program = draw_program(m);
  if (slot == program) return false;
  slot = program;
  return true;
}

bool mutate_resize_array(Mutation& m) {
  if (m.value.arrays.empty()) return false;
  ProgArray& array = m.value.arrays[m.choices.below(m.value.arrays.size())];
  const auto size = static_cast<std::size_t>(draw_array_size(m.choices));
  if (size == array.slots.size()) return false;
  array.slots.resize(size, kNoProgram);
  return true;
}

bool mutate_edit_bytes(Mutation& m) {
  const std::size_t object = m.choices.below(m.value.regions.size() + 1);
  auto& bytes = object == m.value.regions.size() ? m.value.context : m.value.regions[object].bytes;
  if (bytes.empty()) return false;
  for (int count = m.choices.range(1, 4); count > 0; --count) {
    const std::size_t at = m.choices.below(bytes.size());
    bytes[at] = draw_byte(m.choices);
  }
  return true;
}

bool mutate_add_program(Mutation& m) {
  if (m.value.programs.size() >= kMaxPrograms || m.value.arrays.empty()) return false;
  Program added;
  const std::size_t origin = m.choices.below(m.value.programs.size());
  if (m.choices.chance(60)) {
    added = m.value.programs[origin];
  } else {
    const std::int32_t result = draw_immediate(m.choices);
    added.functions.push_back(
        {.name = "main",
         .insns = {make_insn(Opcode::kMov64Imm, 0, 0, 0, result), make_insn(Opcode::kExit)},
         .stack_depth = m.choices.chance(50) ? 0 : m.choices.range(1, 64)});
  }
  added.name = fresh_name(m.value, "p");
  m.value.programs.push_back(std::move(added));
  ProgArray& array = m.value.arrays[m.choices.below(m.value.arrays.size())];
  array.slots[m.choices.below(array.slots.size())] = static_cast<int>(m.value.programs.size()) - 1;
  return true;
}

bool mutate_remove_program(Mutation& m) {
  const auto program = static_cast<int>(m.choices.below(m.value.programs.size()));
  auto smaller = without_program(m.value, program);
  if (!smaller) return false;
  m.value = *std::move(smaller);
  return true;
}

bool mutate_change_entry(Mutation& m) {
  const auto program = static_cast<int>(m.choices.below(m.value.programs.size()));
  if (program == m.value.enter) return false;
  m.value.enter = program;
  return true;
}

}  // namespace plumb::gen
