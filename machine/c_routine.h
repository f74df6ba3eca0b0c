// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

namespace plumb::machine {

// The body of every C function that native code meets: bpf_loop, bpf_throw, whatever else calls
// back. One piece of code per architecture, as a C compiler with frame pointers makes functions of
// the platform's ABI. What a function does beyond that is the machine's (c_calls.h), at three
// places:
//
//   begin:  frame record, all callee-saved registers to the frame, room for arguments and state
//   step:   what next? the address to call goes to target, 0: to return
//           if target == 0 goto end
//   call:   every register but the arguments may hold anything now, callee-saved ones, too
//           call target
//           goto step
//   end:    the result is in its register, other caller-saved registers hold anything
//           what was saved comes back from the frame; return
//
// Each is the first instruction of a basic block. Stores of this code are of the helper's own frame
// (MachineRun::helper_stores).
//
//   frame pointer ->  frame record
//                     callee-saved registers
//                     kStateWords words of state
//                     kOutgoingWords words for arguments on the stack
//   stack pointer ->
struct CRoutine {
  std::vector<std::uint8_t> code;  // runs at any address
  // Offsets.
  std::uint64_t step = 0;
  std::uint64_t call = 0;
  std::uint64_t end = 0;
  int target_register = -1;      // holds the address to call; -1: the first word of state does
  std::int64_t state_below = 0;  // address of the state = value of the frame pointer - this
};

inline constexpr int kStateWords = 6;
inline constexpr int kOutgoingWords = 8;

[[nodiscard]] CRoutine c_routine_x86_64();
[[nodiscard]] CRoutine c_routine_arm64();
[[nodiscard]] CRoutine c_routine_riscv64();

// What a scrambled register holds, but for its low bits: recognisable in a dump, no address of
// anything, and larger than any tail-call count in each half.
inline constexpr std::uint64_t kScrambledRegister = 0x5c5c'0000'5c5c'0000;

}  // namespace plumb::machine
