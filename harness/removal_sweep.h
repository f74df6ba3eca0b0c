// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is every instruction missed that belongs to a frame? Takes one after the other out of the code of
// a conforming image that saves, restores, moves arguments or moves the stack pointer: of prologues
// and epilogues. What no finding misses is told, with what may be why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "jit_under_test/jit.h"
#include "machine/machine.h"

namespace plumb::harness {

// Does the instruction move data, or the stack pointer? By its text.
[[nodiscard]] bool moves_frame(Arch arch, std::string_view text);

// An instruction that no finding misses, and what may be why.
struct Survivor {
  std::string where;     // "program 0 function 1 +0x4"
  std::string text;      // of the instruction
  bool changes = false;  // without it, a register, the stack pointer or a result is another one
  // Of the function that it belongs to, in the run with it.
  bool is_thrown = false;  // each of its frames is ended by a throw
  bool is_exception_callback = false;
  bool names_r10 = true;
  bool calls = true;             // something, or throws
  std::uint32_t tail_calls = 0;  // of the whole run
};

struct RemovalCounts {
  std::size_t cases = 0;     // that the JIT conforms in
  std::size_t broken = 0;    // that it does not conform in even so
  std::size_t left_out = 0;  // not defined under its contract, or beyond what it can do
  std::size_t removed = 0;   // instructions that ran
  std::size_t found = 0;     // of those
  std::size_t idle = 0;      // instructions that did not run, and were left alone
  std::vector<Survivor> survivors{};
  std::vector<std::string> problems{};

  RemovalCounts& operator+=(const RemovalCounts& other);
};

[[nodiscard]] RemovalCounts sweep_removals(const Case& value, jit::Jit& jit,
                                           machine::Machine& machine);

}  // namespace plumb::harness
