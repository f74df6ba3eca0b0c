// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/reduce.h"

#include <cstdlib>

#include "core/edit.h"
#include "core/exceptions.h"
#include "core/opcode.h"

namespace plumb {
namespace {

std::size_t index(int value) { return static_cast<std::size_t>(value); }

// Takes index `gone` out of a numbering: it becomes nothing, what lies above moves down.
enum class Renumbered { kSame, kGone };
Renumbered renumber(std::int32_t& number, int gone) {
  if (number == gone) return Renumbered::kGone;
  if (number > gone) --number;
  return Renumbered::kSame;
}

void forget_wide_load(std::vector<Insn>& insns, std::size_t slot) {
  insns[slot] = make_insn(Opcode::kLoadImm64, insns[slot].dst);
  insns[slot + 1] = Insn{};
}

// Renumbers every wide load of the given pseudo source.
void renumber_wide_loads(std::vector<Insn>& insns, std::uint8_t pseudo, int gone) {
  const std::vector<bool> starts = instruction_starts(insns);
  for (std::size_t slot = 0; slot + 1 < insns.size(); ++slot) {
    if (!starts[slot] || insns[slot].opcode != kWideLoadOpcode || insns[slot].src != pseudo) {
      continue;
    }
    if (renumber(insns[slot].immediate, gone) == Renumbered::kGone) forget_wide_load(insns, slot);
  }
}

void renumber_everywhere(Case& value, std::uint8_t pseudo, int gone) {
  for (Program& program : value.programs) {
    for (Function& function : program.functions) {
      renumber_wide_loads(function.insns, pseudo, gone);
    }
  }
}

bool writes_register(const OpcodeInfo& info) {
  return is_alu(info.operation) || info.operation == Operation::kLoad ||
         info.operation == Operation::kLoadSigned;
}

// Smaller immediates: 0, 1, and halves.
void add_smaller_immediates(const Insn& insn, std::vector<std::vector<Insn>>& forms) {
  for (const std::int32_t smaller : {0, 1, insn.immediate / 2}) {
    if (std::abs(std::int64_t{smaller}) >= std::abs(std::int64_t{insn.immediate})) continue;
    Insn form = insn;
    form.immediate = smaller;
    forms.push_back({form});
  }
}

void add_call_forms(const Insn& insn, int function, std::vector<std::vector<Insn>>& forms) {
  forms.push_back({make_insn(Opcode::kMov64Imm)});
  if (insn.src != kPseudoCall) return;
  // Another function, so that this one may become unused; not itself, not a main function.
  for (std::int32_t callee = 1; callee < insn.immediate; ++callee) {
    if (callee == function) continue;
    Insn form = insn;
    form.immediate = callee;
    forms.push_back({form});
  }
}

}  // namespace

std::optional<Case> without_program(const Case& value, int program) {
  if (program == value.enter || value.programs.size() < 2) return std::nullopt;
  Case result = value;
  result.programs.erase(result.programs.begin() + program);
  if (result.enter > program) --result.enter;
  for (ProgArray& array : result.arrays) {
    for (int& slot : array.slots) {
      if (renumber(slot, program) == Renumbered::kGone) slot = kNoProgram;
    }
  }
  return result;
}

std::optional<Case> without_function(const Case& value, int program, int function) {
  if (function == 0) return std::nullopt;
  Case result = value;
  Program& owner = result.programs[index(program)];
  auto& functions = owner.functions;
  functions.erase(functions.begin() + function);
  if (renumber(owner.exception_callback, function) == Renumbered::kGone) {
    owner.exception_callback = kNoFunction;
    owner.has_default_callback = false;
  }
  for (Function& caller : functions) {
    renumber_wide_loads(caller.insns, kPseudoFunction, function);
    for (Insn& insn : caller.insns) {
      const OpcodeInfo* info = decode(insn);
      if (info == nullptr || info->id != Opcode::kCallFunction) continue;
      if (renumber(insn.immediate, function) == Renumbered::kGone) {
        insn = make_insn(Opcode::kMov64Imm);
      }
    }
  }
  if (!complete_callback(owner)) return std::nullopt;
  return result;
}

std::optional<Case> with_body_of(const Case& value, int program, int function, int callee) {
  if (function == callee) return std::nullopt;
  Case result = value;
  auto& functions = result.programs[index(program)].functions;
  functions[index(function)].insns = functions[index(callee)].insns;
  functions[index(function)].stack_depth = functions[index(callee)].stack_depth;
  return without_function(result, program, callee);
}

std::optional<Case> entering(const Case& value, int program) {
  if (program == value.enter) return std::nullopt;
  Case result = value;
  result.enter = program;
  return without_program(result, value.enter);
}

std::optional<Case> without_array(const Case& value, int array) {
  Case result = value;
  result.arrays.erase(result.arrays.begin() + array);
  renumber_everywhere(result, kPseudoArray, array);
  return result;
}

std::optional<Case> without_region(const Case& value, int region) {
  Case result = value;
  result.regions.erase(result.regions.begin() + region);
  renumber_everywhere(result, kPseudoRegion, region);
  return result;
}

std::vector<std::vector<Insn>> simpler_forms(std::span<const Insn> insn, int function) {
  std::vector<std::vector<Insn>> forms;
  const Insn& first = insn.front();
  const OpcodeInfo* info = decode(first);
  if (info == nullptr) return forms;
  const Insn zero = make_insn(Opcode::kMov64Imm, first.dst);
  const Insn next = make_insn(Opcode::kJa);  // goto the next instruction: removed afterwards
  const Insn one = make_insn(Opcode::kMov64Imm, first.dst, 0, 0, 1);
  if (insn.size() == 2) {
    if (info->id == Opcode::kLoadImm64) forms.push_back({zero});
    if (info->id == Opcode::kLoadRegion && insn[1] != Insn{}) forms.push_back({first, Insn{}});
    return forms;
  }
  if (info->operation == Operation::kCallFunction || info->operation == Operation::kCallHelper) {
    add_call_forms(first, function, forms);
  } else if (writes_register(*info) && first != zero) {
    // Only from loads and arithmetic to a plain move, so that no form comes round again.
    if (info->id != Opcode::kMov64Imm) forms.insert(forms.end(), {{zero}, {one}});
  } else if (info->operation == Operation::kStore && info->operand == Operand::kReg) {
    // The opcodes of the two kinds of store differ in the lowest bit alone.
    Insn immediate = first;
    immediate.opcode ^= 1;
    immediate.src = 0;
    forms.push_back({immediate});
  } else if (is_conditional_jump(info->operation)) {
    Insn always = make_insn(Opcode::kJa);
    always.offset = first.offset;
    if (always.offset != next.offset) forms.push_back({always});
  }
  // Of a call, of an atomic and of a byte swap the immediate is part of the operation.
  const bool plain_immediate = info->operand == Operand::kImm && info->selector != Selector::kImm &&
                               !is_jump(info->operation);
  if (plain_immediate) add_smaller_immediates(first, forms);
  return forms;
}

}  // namespace plumb
