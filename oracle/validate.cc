// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/validate.h"

#include "core/capability.h"
#include "core/opcode.h"
#include "oracle/call_graph.h"
#include "oracle/decode.h"

namespace plumb::oracle {
namespace {

// What one instruction needs, whatever stands around it.
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

std::uint64_t needed_by(const Function& function) {
  std::uint64_t needs = 0;
  for (std::size_t slot = 0; slot < function.insns.size(); ++slot) {
    const Insn& insn = function.insns[slot];
    if (const OpcodeInfo* info = decode(insn)) needs |= needed_by(*info, insn);
    if (slot_count(insn) == 2) ++slot;
  }
  return needs;
}

}  // namespace

std::optional<Defect> validate(const Case& value) {
  Code code;
  CodeDefect defect = decode_case(value, code);
  if (defect.reason == Reason::kNone) defect = check_calls(code);
  if (defect.reason == Reason::kNone) return std::nullopt;
  return Defect{std::string(reason_phrase(defect.reason)), defect.at};
}

std::uint64_t required_capabilities(const Case& value) {
  std::uint64_t all = 0;
  for (const Program& program : value.programs) {
    std::uint64_t needs = 0;
    for (const Function& function : program.functions) needs |= needed_by(function);
    if (program.preparation != Preparation::kVerifier) {
      needs |= capability_bit(Capability::kUnverified);
    }
    if (program.functions.size() > 1) {
      needs |= capability_bit(Capability::kCallSubprograms);
      if ((needs & capability_bit(Capability::kTailCall)) != 0) {
        needs |= capability_bit(Capability::kTailCallInSubprogram);
      }
    }
    all |= needs;
  }
  return all;
}

}  // namespace plumb::oracle
