// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

namespace plumb::machine {

// bpf_loop in native code, as a C compiler with frame pointers could have made it: a function of
// the platform's ABI that calls a BPF function back.
//
//   u64 bpf_loop(u32 nr_loops, void *callback, void *context, u64 flags)
//
// kernel/bpf/bpf_iter.c has the rules: flags first, then the bound, both on the values as their C
// types truncate them.
//
// A C function may use every register that it saves, and promises nothing about those that it need
// not save. This one does its worst with both. All that it has to remember lies in its frame;
// before each callback it scrambles every register but the five arguments, the stack pointer and
// the frame pointer (arm64, riscv64: and the one that holds the address to call), callee-saved ones
// included, and the flags. What a callback leaves in registers is scrambled before the next one;
// the engine does it at the end (HelperMock::end_loop).
struct LoopRoutine {
  std::vector<std::uint8_t> code;  // runs at any address
  std::uint64_t end = 0;           // offset of its last block, where the result is in place
};

[[nodiscard]] LoopRoutine loop_routine_x86_64();
[[nodiscard]] LoopRoutine loop_routine_arm64();
[[nodiscard]] LoopRoutine loop_routine_riscv64();

// What a scrambled register holds, but for its low bits: recognisable in a dump, no address of
// anything, and larger than any tail-call count in each half.
inline constexpr std::uint64_t kScrambledRegister = 0x5c5c'0000'5c5c'0000;

}  // namespace plumb::machine
