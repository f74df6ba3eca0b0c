// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/place.h"

#include <fmt/core.h>

#include <cstddef>

#include "core/case_text.h"
#include "core/opcode.h"

namespace plumb::oracle {
namespace {

const Program* program_at(const Case& value, const Place& at) {
  if (at.program < 0 || at.program >= std::ssize(value.programs)) return nullptr;
  return &value.programs[static_cast<std::size_t>(at.program)];
}

const Function* function_at(const Case& value, const Place& at) {
  const Program* program = program_at(value, at);
  if (program == nullptr || at.function < 0 || at.function >= std::ssize(program->functions)) {
    return nullptr;
  }
  return &program->functions[static_cast<std::size_t>(at.function)];
}

const Insn* insn_at(const Case& value, const Place& at) {
  const Function* function = function_at(value, at);
  if (function == nullptr || at.slot < 0 || at.slot >= std::ssize(function->insns)) return nullptr;
  return &function->insns[static_cast<std::size_t>(at.slot)];
}

std::string encoding_text(const Insn& insn) {
  return fmt::format("opcode {:#04x} with destination {}, source {}, offset {}, immediate {}",
                     insn.opcode, insn.dst, insn.src, insn.offset, insn.immediate);
}

// Can print_insn() show it? Structural defects mean that references may lead nowhere.
bool can_be_shown(Reason reason) {
  return reason >= Reason::kUninitialisedRegister || reason == Reason::kRecursion ||
         reason == Reason::kTailCallTooDeep || reason == Reason::kTailCallInCallback ||
         reason == Reason::kTailCallBelowExceptionCallback ||
         reason == Reason::kTailCallInExceptionCallback || reason == Reason::kThrowInCallback;
}

}  // namespace

std::string place_text(const Case& value, const Place& at) {
  const Program* program = program_at(value, at);
  const Function* function = function_at(value, at);
  if (function == nullptr) return program == nullptr ? "the case" : program->name;
  return fmt::format("{}.{} at slot {}", program->name, function->name, at.slot);
}

std::string undefined_text(const Case& value, Reason reason, const Place& at, std::int64_t amount) {
  std::string place = place_text(value, at);
  const Insn* insn = insn_at(value, at);
  switch (reason) {
    case Reason::kNoSuchProgram:
      return "a slot of a prog array or the entry of " + place;
    case Reason::kNoSuchHelper:
      return fmt::format("helper {} in {} is not mocked", insn->immediate, place);
    case Reason::kUnknownInstruction:
      return fmt::format("{} in {}", encoding_text(*insn), place);
    case Reason::kStackTooDeep:
    case Reason::kCallChainTooDeep:
      return fmt::format("{} bytes at the entry of {}", amount, place);
    case Reason::kTailCallTooDeep:
      return fmt::format("{} bytes above {}", amount, place);
    case Reason::kCallChainTooLong:
      return fmt::format("{} frames at the entry of {}", amount, place);
    default:
      break;
  }
  // A frame left by an access that stands anywhere is told before references are checked.
  if (insn == nullptr || !can_be_shown(reason) || decode(*insn) == nullptr) return place;
  return fmt::format("{}: {}", place,
                     print_insn(value, *program_at(value, at), *function_at(value, at),
                                static_cast<std::size_t>(at.slot)));
}

}  // namespace plumb::oracle
