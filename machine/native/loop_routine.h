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
// the frame pointer, callee-saved ones included, and the flags.
//
// The code runs at any address.
[[nodiscard]] std::vector<std::uint8_t> loop_routine_x86_64();

}  // namespace plumb::machine
