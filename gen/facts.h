// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/case.h"

namespace plumb::gen {

// What a register holds on every path to a point, as far as the code alone shows it.
enum class Holds : std::uint8_t {
  kUnreached,  // no path leads there
  kScalar,
  kContext,  // the context's first byte
  kValue,    // initialised; a pointer, or not known
  kNothing,  // uninitialised on some path, or destroyed by a call
};

// What is known just before an instruction runs.
struct PointFacts {
  std::array<Holds, kRegisterCount> holds{};  // all kUnreached: nothing reaches the point
  std::uint32_t live = 0;                     // bit n: what Rn holds may still be read

  [[nodiscard]] Holds at(int reg) const { return holds[static_cast<std::size_t>(reg)]; }
  [[nodiscard]] bool reached() const { return holds[0] != Holds::kUnreached; }
  // R0 ... R9 that may be overwritten.
  [[nodiscard]] std::uint32_t dead() const { return ~live & 0x3ff; }
  // R0 ... R10 that hold this.
  [[nodiscard]] std::uint32_t holding(Holds what) const;
};

struct FunctionFacts {
  std::vector<PointFacts> points;  // by slot
  std::vector<bool> starts;        // by slot: an instruction starts there
  std::vector<bool> targets;       // by slot: a jump goes there
  bool makes_tail_calls = false;

  // R1 ... R5 that the function reads before it writes them.
  [[nodiscard]] std::uint32_t arguments() const { return points[0].live & 0x3e; }
};

// Types and liveness of the registers of a program, over its calls. Meant for choosing changes that
// most likely keep a case defined: memory is not followed, so it is no proof.
[[nodiscard]] std::vector<FunctionFacts> analyse(const Program& program);

// Registers that the instruction writes, calls aside.
[[nodiscard]] std::uint32_t written_registers(const Insn& insn);
// Registers that it reads; a call of a function reads the arguments given.
[[nodiscard]] std::uint32_t read_registers(const Insn& insn, std::uint32_t callee_arguments);

}  // namespace plumb::gen
