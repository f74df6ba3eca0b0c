// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>

#include "core/edit.h"
#include "core/exceptions.h"
#include "gen/mutate.h"
#include "gen/mutation.h"

namespace plumb::gen {
namespace {

// Adds to what every wide load of the pseudo source refers to.
void shift_references(Function& function, std::uint8_t pseudo, std::size_t by) {
  const std::vector<bool> starts = instruction_starts(function.insns);
  for (std::size_t slot = 0; slot < starts.size(); ++slot) {
    Insn& insn = function.insns[slot];
    if (!starts[slot] || insn.opcode != kWideLoadOpcode || insn.src != pseudo) continue;
    insn.immediate += static_cast<std::int32_t>(by);
  }
}

bool refers(const Function& function) {
  const std::vector<bool> starts = instruction_starts(function.insns);
  for (std::size_t slot = 0; slot < starts.size(); ++slot) {
    if (!starts[slot]) continue;
    const OpcodeInfo& info = *decode(function.insns[slot]);
    const bool wide = slot_count(function.insns[slot]) == 2 && info.id != Opcode::kLoadImm64;
    if (wide || info.operation == Operation::kCallFunction) return true;
  }
  return false;
}

// All of second's programs, arrays and regions behind first's. False: too many of them.
bool append_case(Case& first, const Case& second) {
  const std::size_t programs = first.programs.size();
  const std::size_t arrays = first.arrays.size();
  const std::size_t regions = first.regions.size();
  if (programs + second.programs.size() > kMaxPrograms ||
      arrays + second.arrays.size() > kMaxArrays || regions + second.regions.size() > kMaxRegions) {
    return false;
  }
  for (const ProgArray& array : second.arrays) {
    ProgArray added = array;
    added.name = fresh_name(first, "jmp");
    for (int& slot : added.slots) {
      if (slot != kNoProgram) slot += static_cast<int>(programs);
    }
    first.arrays.push_back(std::move(added));
  }
  for (const Region& region : second.regions) {
    first.regions.push_back({.name = fresh_name(first, "map"), .bytes = region.bytes});
  }
  for (const Program& program : second.programs) {
    first.programs.push_back({.name = fresh_name(first, "p"),
                              .functions = {},
                              .exception_callback = program.exception_callback});
    for (Function function : program.functions) {
      shift_references(function, kPseudoArray, arrays);
      shift_references(function, kPseudoRegion, regions);
      function.name = fresh_name(first, "f");
      first.programs.back().functions.push_back(std::move(function));
    }
  }
  // Code of second may read as far as its own context reached.
  if (second.context.size() > first.context.size()) {
    first.context.insert(first.context.end(),
                         second.context.begin() + static_cast<std::ptrdiff_t>(first.context.size()),
                         second.context.end());
  }
  return true;
}

// A tail call from first's programs to where second would have been entered.
bool join_programs(Mutation& m, const Case& second) {
  const std::size_t programs = m.value.programs.size();
  const std::size_t arrays = m.value.arrays.size();
  if (!append_case(m.value, second)) return false;
  const int target = static_cast<int>(programs) + second.enter;
  if (arrays != 0 && m.choices.chance(60)) {
    ProgArray& array = m.value.arrays[m.choices.below(arrays)];
    array.slots[m.choices.below(array.slots.size())] = target;
    return true;
  }
  if (m.value.arrays.size() >= kMaxArrays) return false;
  const auto spot = pick_spot(m, [&](const Spot& at, const Insn&, const OpcodeInfo&) {
    return at.program < programs && (at.point().holding(Holds::kContext) & 0x3ff) != 0;
  });
  if (!spot) return false;
  const auto array = static_cast<std::int32_t>(m.value.arrays.size());
  m.value.arrays.push_back({.name = fresh_name(m.value, "jmp"), .slots = {target}});
  const int context = m.choices.pick_bit(spot->point().holding(Holds::kContext));
  const std::vector<Insn> body{
      move_register(1, context), make_insn(Opcode::kLoadArray, 2, 0, 0, array), Insn{},
      make_insn(Opcode::kMov64Imm, 3), make_insn(Opcode::kCallHelper, 0, 0, 0, kTailCallHelper)};
  const auto code = saving(m, function_at(m, *spot), spot->point(), spot->point().live, body);
  return code && insert(m, *spot, *code);
}

// A function of second that refers to nothing else, called from first. A subprogram, unless main
// functions may be taken too.
bool take_function(Mutation& m, const Case& second, bool main_too = false) {
  struct Candidate {
    const Function* function;
    PointFacts entry;
  };
  std::vector<Candidate> candidates;
  for (const Program& program : second.programs) {
    const auto facts = analyse(program);
    for (std::size_t f = main_too ? 0 : 1; f < program.functions.size(); ++f) {
      const PointFacts& entry = facts[f].points[0];
      if (entry.reached() && !refers(program.functions[f])) {
        candidates.push_back({&program.functions[f], entry});
      }
    }
  }
  if (candidates.empty()) return false;
  const Candidate& taken = candidates[m.choices.below(candidates.size())];
  const auto spot = pick_spot(m);
  if (!spot) return false;
  std::vector<Function>& functions = m.value.programs[spot->program].functions;
  if (functions.size() >= kMaxFunctions) return false;
  auto body = arguments_for(m, spot->point(), taken.entry);
  if (!body) return false;
  body->push_back(call_function(static_cast<int>(functions.size())));
  const auto code = saving(m, function_at(m, *spot), spot->point(), spot->point().live, *body);
  if (!code || !insert(m, *spot, *code)) return false;
  Function added = *taken.function;
  added.name = fresh_name(m.value, "f");
  functions.push_back(std::move(added));
  m.value.context.resize(std::max(m.value.context.size(), second.context.size()));
  return true;
}

// The same in place of the call, for JITs that have no other way to put two cases together.
bool take_code(Mutation& m, const Case& second) {
  if (!take_function(m, second, true) || !mutate_inline_function(m)) return false;
  for (Program& program : m.value.programs) {
    program.functions.resize(1);
    program.exception_callback = kNoFunction;
    program.has_default_callback = false;
  }
  return true;
}

bool put_together(Mutation& m, const Case& second) {
  const bool subprograms = m.takes(capability_bit(Capability::kCallSubprograms));
  const bool tail_calls = m.takes(capability_bit(Capability::kTailCall));
  if (!subprograms && !tail_calls) return take_code(m, second);
  const bool takes_function = subprograms && (!tail_calls || m.choices.chance(50));
  return takes_function ? take_function(m, second) : join_programs(m, second);
}

}  // namespace

std::optional<Case> cross(const Case& first, const Case& second, ChoiceStream& choices,
                          const CaseCheck& accept, const CrossOptions& options) {
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    Case changed = first;
    Case other = second;
    drop_default_callbacks(changed);
    drop_default_callbacks(other);
    changed.notes.clear();
    changed.waivers.clear();
    changed.expectation = {};
    Mutation mutation{.value = changed, .choices = choices, .capabilities = options.capabilities};
    if (put_together(mutation, other) && complete_callbacks(changed) &&
        count_slots(changed) <= kMaxSlots && accept(changed))
      return changed;
  }
  return std::nullopt;
}

}  // namespace plumb::gen
