// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/capabilities.h"

#include <cstddef>

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
    needs |= oracle::needed_by(info, insn);
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
                    if ((oracle::needed_by(info, insn) & capability_bit(of_insn)) == 0) return;
                    found.slot = static_cast<std::int32_t>(slot);
                  });
    if (found.slot >= 0) return found;
  }
  // The program as a whole: it has a second function, or nobody has verified it.
  const bool second = capability == Capability::kCallSubprograms && program.functions.size() > 1;
  return {.program = number, .function = static_cast<std::int16_t>(second ? 1 : 0), .slot = 0};
}

void join(std::string& list, std::string_view more) {
  if (!list.empty()) list += ", ";
  list += more;
}

}  // namespace

std::uint64_t needed_by(const OpcodeInfo& info, const Insn& insn) {
  std::uint64_t needs = 0;
  if (info.version >= 4) needs |= capability_bit(Capability::kV4);
  if (is_atomic(info.operation) && info.operation != Operation::kAtomicAdd) {
    needs |= capability_bit(Capability::kAtomics);
  }
  if (info.operation == Operation::kLoadFunction) needs |= capability_bit(Capability::kCallBack);
  if (info.operation == Operation::kCallHelper && insn.immediate == kTailCallHelper) {
    needs |= capability_bit(Capability::kTailCall);
  }
  return needs;
}

std::uint64_t needed_by(const Program& program, std::uint64_t instructions) {
  std::uint64_t needs = instructions;
  if (program.preparation != Preparation::kVerifier) {
    needs |= capability_bit(Capability::kUnverified);
  }
  if (program.functions.size() > 1) {
    needs |= capability_bit(Capability::kCallSubprograms);
    if ((needs & capability_bit(Capability::kTailCall)) != 0) {
      needs |= capability_bit(Capability::kTailCallInSubprogram);
    }
  }
  return needs;
}

std::uint64_t required_capabilities(const Case& value) {
  std::uint64_t all = 0;
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
    const std::uint64_t wanted = capability_bit(capability) & ~has;
    for (std::size_t p = 0; wanted != 0 && p < value.programs.size(); ++p) {
      const Program& program = value.programs[p];
      std::uint64_t instructions = 0;
      for (const Function& function : program.functions) instructions |= needed_by(function);
      if ((needed_by(program, instructions) & wanted) == 0) continue;
      const Place at = first_need(program, static_cast<std::int16_t>(p), capability);
      join(lack.phrase, name);
      join(lack.detail, std::string(name) + " for " + place_text(value, at));
      break;
    }
  }
  lack.phrase = "the JIT lacks " + lack.phrase;
  return lack;
}

}  // namespace plumb::oracle
