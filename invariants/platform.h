// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/arch.h"

namespace plumb::invariants {

// Bit r is native register r (hardware number).
using RegisterSet = std::uint32_t;

// Where things lie in a native frame, in bytes from the stack pointer on arrival.
//
//                x86-64              arm64             riscv64           riscv64, calls nothing
//   arrival sp   | return address |
//           - 8  | saved rbp      |  | saved x30  |    | saved ra  |     | saved s0  |
//           - 16                     | saved x29  |    | saved s0  |
//
// rbp and x29 point at where the caller's is saved, s0 holds the arrival sp.
struct FrameGeometry {
  std::uint64_t call_pushes = 0;         // bytes that a call pushes and a return pops
  std::uint64_t record_below_entry = 0;  // arrival sp - address of the saved frame pointer
  std::uint64_t return_below_entry = 0;  // arrival sp - address of the return address
  // A function that calls nothing keeps its return address in the register, and saves the frame
  // pointer where others save it.
  bool leaf_saves_no_return = false;
  // arrival sp - sp at the landing of a tail call. Where it is not given, the first function of the
  // run tells it, by what it has pushed where a tail call would land.
  std::optional<std::uint64_t> landing_below_entry;
  bool constant_sp = false;  // sp is the same at all calls of one activation
};

// What the platform's ABI promises, and where its JITs put their frames.
struct Platform {
  RegisterSet callee_saved = 0;
  std::uint8_t result_register = 0;
  // BPF functions return to their BPF callers in the register of R0, whatever the ABI's result
  // register holds.
  bool returns_in_r0 = false;
  std::uint64_t sp_alignment = 0;  // at every access to the stack; 0: no rule
  FrameGeometry geometry;
};

[[nodiscard]] const Platform& platform(Arch arch);

}  // namespace plumb::invariants
