// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/arch.h"

namespace plumb::invariants {

// Bit r is native register r (hardware number).
using RegisterSet = std::uint32_t;

// Where things lie in a native frame, in bytes from the stack pointer on arrival. x86-64:
//
//   arrival sp     | return address |  <- pushed by the call
//   arrival sp - 8 | saved rbp      |  <- the frame record; rbp points here, so does sp at the
//                                         landing of a tail call
struct FrameGeometry {
  std::uint64_t return_slot = 0;          // bytes that a call pushes and a return pops
  std::uint64_t record_below_entry = 0;   // arrival sp - address of the frame record
  std::uint64_t landing_below_entry = 0;  // arrival sp - sp at the landing of a tail call
  bool constant_sp = false;               // sp is the same at all calls of one activation
};

// What the platform's ABI promises, and where its JITs put their frames.
struct Platform {
  RegisterSet callee_saved = 0;
  std::uint8_t result_register = 0;
  std::optional<FrameGeometry> geometry;  // nullopt: not known, what needs it is not checked
};

[[nodiscard]] const Platform& platform(Arch arch);

}  // namespace plumb::invariants
