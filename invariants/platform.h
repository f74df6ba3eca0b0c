// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/arch.h"
#include "core/frame_geometry.h"

namespace plumb::invariants {

// Bit r is native register r (hardware number).
using RegisterSet = std::uint32_t;

// What the platform's ABI promises, and where its JITs put their frames.
struct Platform {
  RegisterSet callee_saved = 0;
  std::uint8_t result_register = 0;
  std::array<std::uint8_t, 5> argument_registers{};  // the first five
  // BPF functions return to their BPF callers in the register of R0, whatever the ABI's result
  // register holds.
  bool returns_in_r0 = false;
  std::uint64_t sp_alignment = 0;    // at every access to the stack; 0: no rule
  std::uint64_t call_alignment = 0;  // of sp at calls, the least that any contract may ask for
  FrameGeometry geometry;
};

[[nodiscard]] const Platform& platform(Arch arch);

}  // namespace plumb::invariants
