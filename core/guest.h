// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/placement.h"

// Where things lie in the guest when the addresses are ours to choose: the JIT bakes addresses of
// map values into code, and placement() tells everybody else. All above 4 GiB, so that a truncated
// pointer is noticed; all below 2^47, so that they are canonical. Code and prog arrays lie in the
// plugin's arena.
//
//   0x0000'4000'0000 ...   arenas (below 2 GiB)
//   0x0051'0000'0000       exit page: the invocation returns here; nothing is mapped around it
//   0x0052'0000'0000       context, at the end of its last page
//   0x0053'0000'0000 + i * 64 KiB   region i, at the end of its page
//   0x0054'0000'0000       stack, kStackSize bytes, unmapped pages on both sides
//   0x0055'0000'0000       per-CPU data: on x86-64 the GS base points there
//   0x0056'0000'0000       memory for BPF stacks, for JITs that are given it; unmapped pages around
//   0x0057'0000'0000       nothing: the addresses of an interrupt's code (core/unwind/c_frames.h)
namespace plumb::guest {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kExitAddress = 0x51'0000'0000 + 0x10;
inline constexpr std::uint64_t kContextPage = 0x52'0000'0000;
inline constexpr std::uint64_t kRegionPages = 0x53'0000'0000;
inline constexpr std::uint64_t kRegionStride = 0x10000;
inline constexpr std::uint64_t kStackBase = 0x54'0000'0000;
inline constexpr std::uint64_t kStackSize = 0x10000;
inline constexpr std::uint64_t kStackTop = kStackBase + kStackSize;
inline constexpr std::uint64_t kPerCpuPage = 0x55'0000'0000;  // PLUMB_PER_CPU_SIZE bytes
inline constexpr std::uint64_t kBpfStackBase = 0x56'0000'0000;
inline constexpr std::uint64_t kBpfStackSize = std::uint64_t{kMaxCallDepth} * kMaxStackDepth;
static_assert(kBpfStackSize % kPage == 0);
inline constexpr std::uint64_t kInterruptCode = 0x57'0000'0000;

// Helper stubs at the start of every arena: PLUMB_STUB_STRIDE and PLUMB_STUB_COUNT of
// jit_under_test/plugin.h, for those who may not include it.
inline constexpr std::uint64_t kStubStride = 16;
inline constexpr std::uint64_t kStubCount = 4096;
inline constexpr std::uint64_t kStubSize = kStubStride * kStubCount;
// Stubs from here on hold the machine's own code; helper numbers are below.
inline constexpr std::uint64_t kRoutinesOffset = 3072 * kStubStride;

// An object lies against the end of its page, rounded to 8 bytes: one element too far faults.
[[nodiscard]] constexpr std::uint64_t object_address(std::uint64_t page, std::size_t size) {
  return page + kPage - ((size + 7) & ~std::size_t{7});
}
// One page is enough for every case that a file can hold; the kernel's own tests have larger ones.
[[nodiscard]] constexpr std::uint64_t context_address(std::size_t size) {
  const std::uint64_t pages = size == 0 ? 1 : (size + kPage - 1) / kPage;
  return kContextPage + pages * kPage - ((size + 7) & ~std::size_t{7});
}
[[nodiscard]] constexpr std::uint64_t region_address(std::size_t index, std::size_t size) {
  return object_address(kRegionPages + index * kRegionStride, size);
}

// For an arena at the same address in the guest and in this process.
[[nodiscard]] Placement placement(const Case& value, const Range& arena);

}  // namespace plumb::guest
