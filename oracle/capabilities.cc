// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/capabilities.h"

#include <cstddef>
#include <optional>

#include "core/capability.h"
#include "core/event.h"
#include "oracle/place.h"

namespace plumb::oracle {
namespace {

// Calls visit(info, insn, slot) for each instruction that can be decoded.
template <typename Visit>
void for_each_insn(const Function& function, Visit visit) {
  for (std::size_t slot = 0; slot < function.insns.size(); ++slot) {
    const Insn& insn = function.insns[slot];
    if (const OpcodeInfo* info = decode(insn)) visit(*info, insn, slot);
    if (slot_count(insn) == 2) ++slot;
  }
}

std::uint64_t needed_by(const Function& function) {
  std::uint64_t needs = 0;
  for_each_insn(function, [&](const OpcodeInfo& info, const Insn& insn, std::size_t) {
    needs |= plumb::needed_by(info, insn);
  });
  return needs;
}

// Where the program needs the capability first.
Place first_need(const Program& program, std::int16_t number, Capability capability) {
  const bool in_subprogram = capability == Capability::kTailCallInSubprogram;
  const Capability of_insn = in_subprogram ? Capability::kTailCall : capability;
  for (std::size_t f = 0; f < program.functions.size(); ++f) {
    Place found{.program = number, .function = static_cast<std::int16_t>(f), .slot = -1};
    for_each_insn(program.functions[f],
                  [&](const OpcodeInfo& info, const Insn& insn, std::size_t slot) {
                    if (found.slot >= 0) return;
                    if ((plumb::needed_by(info, insn) & capability_bit(of_insn)) == 0) return;
                    found.slot = static_cast<std::int32_t>(slot);
                  });
    if (found.slot >= 0) return found;
  }
  // The program as a whole: it has a second function, a callback, or nobody has verified it.
  const bool second = capability == Capability::kCallSubprograms && program.functions.size() > 1;
  const bool callback = capability == Capability::kThrow;
  const int function = callback ? program.exception_callback : second ? 1 : 0;
  return {.program = number, .function = static_cast<std::int16_t>(function), .slot = 0};
}

// In words, or nothing where the case does not need it.
std::optional<std::string> first_need(const Case& value, Capability capability) {
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    const Program& program = value.programs[p];
    std::uint64_t instructions = 0;
    for (const Function& function : program.functions) instructions |= needed_by(function);
    const std::uint64_t needs = oracle::needed_by(program, instructions);
    if ((needs & capability_bit(capability)) == 0) continue;
    return place_text(value, first_need(program, static_cast<std::int16_t>(p), capability));
  }
  if ((needed_by_arrays(value) & capability_bit(capability)) == 0) return std::nullopt;
  return "array " + value.arrays[0].name;
}

void join(std::string& list, std::string_view more) {
  if (!list.empty()) list += ", ";
  list += more;
}

}  // namespace

std::uint64_t needed_by(const Program& program, std::uint64_t instructions) {
  std::uint64_t needs = instructions;
  if (program.preparation != Preparation::kVerifier) {
    needs |= capability_bit(Capability::kUnverified);
  }
  // Whether it throws or not: the callback is compiled as one.
  if (program.exception_callback != kNoFunction) needs |= capability_bit(Capability::kThrow);
  if (program.functions.size() > 1) {
    needs |= capability_bit(Capability::kCallSubprograms);
    if ((needs & capability_bit(Capability::kTailCall)) != 0) {
      needs |= capability_bit(Capability::kTailCallInSubprogram);
    }
  }
  return needs;
}

std::uint64_t needed_by_arrays(const Case& value) {
  return value.arrays.empty() ? 0 : capability_bit(Capability::kTailCall);
}

std::uint64_t required_capabilities(const Case& value) {
  std::uint64_t all = needed_by_arrays(value);
  for (const Program& program : value.programs) {
    std::uint64_t instructions = 0;
    for (const Function& function : program.functions) instructions |= needed_by(function);
    all |= needed_by(program, instructions);
  }
  return all;
}

Lack lacking(const Case& value, std::uint64_t has) {
  Lack lack;
  for (const auto& [capability, name] : kCapabilities) {
    if ((capability_bit(capability) & ~has) == 0) continue;
    if (const auto at = first_need(value, capability)) {
      join(lack.phrase, name);
      join(lack.detail, std::string(name) + " for " + *at);
    }
  }
  lack.phrase = "the JIT lacks " + lack.phrase;
  return lack;
}

}  // namespace plumb::oracle
