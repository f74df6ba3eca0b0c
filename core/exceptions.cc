// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/exceptions.h"

#include <algorithm>

#include "core/opcode.h"

namespace plumb {
namespace {

bool is_throw(const Insn& insn) {
  static const Insn kThrow = make_insn(Opcode::kThrow);
  return insn.opcode == kThrow.opcode && insn.src == kThrow.src;
}

void drop_default_callback(Program& program) {
  if (!program.has_default_callback) return;
  program.functions.pop_back();
  program.has_default_callback = false;
  program.exception_callback = kNoFunction;
}

}  // namespace

// The second slot of a wide load has opcode 0.
bool throws(const Function& function) { return std::ranges::any_of(function.insns, is_throw); }

bool throws(const Program& program) {
  return std::ranges::any_of(program.functions, [](const Function& f) { return throws(f); });
}

bool complete_callback(Program& program) {
  const bool needs_one = throws(program);
  if (!needs_one) drop_default_callback(program);
  if (!needs_one || program.exception_callback != kNoFunction) return true;
  if (program.functions.size() >= kMaxFunctions) return false;
  program.exception_callback = static_cast<int>(program.functions.size());
  program.has_default_callback = true;
  program.functions.push_back(
      {.name = kDefaultCallbackName,
       .insns = {make_insn(Opcode::kMov64Reg, 0, 1), make_insn(Opcode::kExit)},
       .stack_depth = 0});
  return true;
}

bool complete_callbacks(Case& value) {
  return std::ranges::all_of(value.programs, complete_callback);
}

void drop_default_callbacks(Case& value) {
  for (Program& program : value.programs) drop_default_callback(program);
}

}  // namespace plumb
