// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb {

// What a case may need and a JIT may lack. The numbers are those of enum plumb_capability
// (jit_under_test/plugin.h), where a static_assert holds the two together.
enum class Capability : std::uint64_t {
  kCallSubprograms = 1u << 0,
  kTailCall = 1u << 1,
  kTailCallInSubprogram = 1u << 2,  // in a program that also has bpf-to-bpf calls
  kCallBack = 1u << 3,              // a helper calls a BPF function (bpf_loop)
  kAtomics = 1u << 4,               // fetch, xchg, cmpxchg, and/or/xor
  kV4 = 1u << 5,                    // sdiv, smod, movsx, ldsx, bswap, gotol
  kThrow = 1u << 6,                 // bpf_throw and exception callbacks
  kTrampoline = 1u << 7,            // fentry, fexit, modify-return
  kPoke = 1u << 8,                  // update_slot yields the ordered text pokes
  kUnverified = 1u << 9,            // programs that no verifier has rewritten
};

[[nodiscard]] constexpr std::uint64_t capability_bit(Capability capability) {
  return static_cast<std::uint64_t>(capability);
}

}  // namespace plumb
