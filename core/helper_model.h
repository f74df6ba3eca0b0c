// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace plumb {

enum class HelperArg : std::uint8_t {
  kNone,
  kAny,
  kAnything,
  kContext,
  kArray,
  kReadMem,
  kWriteMem,
  kSize,
  kFunction,
};

struct HelperInfo {
  std::string_view name;
  std::int32_t number;
  std::array<HelperArg, 5> args;
};

inline constexpr int kMaxHelperBytes = 512;
inline constexpr std::int32_t kLoopHelper = 181;
inline constexpr std::uint64_t kMaxLoopIterations = 1 << 23;  // BPF_MAX_LOOPS
// What bpf_loop returns for too many iterations (-E2BIG) and for flags (-EINVAL): uapi errno.
inline constexpr std::uint64_t kLoopTooBig = static_cast<std::uint64_t>(-7);
inline constexpr std::uint64_t kLoopBadFlags = static_cast<std::uint64_t>(-22);

[[nodiscard]] std::span<const HelperInfo> helper_table();
[[nodiscard]] const HelperInfo* find_helper(std::int32_t number);  // null: no such mock

// One call as the model sees it. Scalars are values; pointers contribute nothing but the bytes they
// point at, so that the same call gives the same answer in the oracle and in the machine.
struct HelperCall {
  std::int32_t number = 0;
  std::uint64_t ordinal = 0;               // how many helpers this invocation called before
  std::array<std::uint64_t, 5> scalars{};  // of Any and Size arguments, else 0
  std::span<const std::uint8_t> read[2];   // bytes behind ReadMem arguments, in order
  std::span<std::uint8_t> write;           // bytes behind the WriteMem argument, to be filled
};

// R0. A function of its argument alone: a hash (SplitMix64 finaliser chained over number, ordinal,
// scalars, bytes). Fills call.write from the same hash. skb_load_bytes and get_current_comm return
// 0, all else returns the hash; get_prandom_u32 its low 32 bits. Not for tail_call and loop.
[[nodiscard]] std::uint64_t run_helper(const HelperCall& call);

}  // namespace plumb
