// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "core/case.h"
#include "core/opcode.h"

namespace plumb::oracle {

// What one instruction needs from a JIT, whatever stands around it: or of core/capability.h.
[[nodiscard]] std::uint64_t needed_by(const OpcodeInfo& info, const Insn& insn);

// What a program needs whose instructions need that.
[[nodiscard]] std::uint64_t needed_by(const Program& program, std::uint64_t instructions);

// What the case needs from a JIT. A program of several functions needs kCallSubprograms even when
// nothing calls them, for the JIT has to lay them out. Execution::required_capabilities is the
// same, without another look at the code.
[[nodiscard]] std::uint64_t required_capabilities(const Case& value);

// What a JIT with those capabilities lacks for the case.
struct Lack {
  std::string phrase;  // without numbers, for statistics: "the JIT lacks atomics, v4"
  std::string detail;  // where each is needed first: "atomics for entry.main at slot 3, ..."
};

// Of a case that needs something that is not among `has`.
[[nodiscard]] Lack lacking(const Case& value, std::uint64_t has);

}  // namespace plumb::oracle
