// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/helper_model.h"

#include <algorithm>
#include <iterator>

#include "core/insn.h"

namespace plumb {
namespace {

constexpr HelperInfo kHelpers[] = {
#define PLUMB_HELPER(name, number, result, a1, a2, a3, a4, a5) \
  {#name,                                                      \
   number,                                                     \
   {HelperArg::k##a1, HelperArg::k##a2, HelperArg::k##a3, HelperArg::k##a4, HelperArg::k##a5}},
#include "core/helpers.inc"
};

constexpr std::int32_t kGetPrandomU32 = 7;
constexpr std::int32_t kGetCurrentComm = 16;
constexpr std::int32_t kSkbLoadBytes = 26;

// One step of the chain: SplitMix64's finaliser over the state and the next word.
std::uint64_t mix(std::uint64_t state, std::uint64_t word) {
  std::uint64_t z = state ^ (word + 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::uint64_t mix_bytes(std::uint64_t state, std::span<const std::uint8_t> bytes) {
  state = mix(state, bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(8, bytes.size());
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < size; ++i) word |= std::uint64_t{bytes[i]} << (8 * i);
    state = mix(state, word);
    bytes = bytes.subspan(size);
  }
  return state;
}

}  // namespace

std::span<const HelperInfo> helper_table() { return kHelpers; }

const HelperInfo* find_helper(std::int32_t number) {
  const auto it = std::ranges::find(kHelpers, number, &HelperInfo::number);
  return it == std::end(kHelpers) ? nullptr : it;
}

std::uint64_t run_helper(const HelperCall& call) {
  std::uint64_t state = mix(static_cast<std::uint32_t>(call.number), call.ordinal);
  for (const std::uint64_t scalar : call.scalars) state = mix(state, scalar);
  for (const auto& bytes : call.read) state = mix_bytes(state, bytes);
  std::uint64_t fill = state;
  for (std::uint8_t& byte : call.write) {
    fill = mix(fill, 1);
    byte = static_cast<std::uint8_t>(fill);
  }
  switch (call.number) {
    case kGetPrandomU32:
      return state & 0xffffffffu;
    case kGetCurrentComm:
    case kSkbLoadBytes:
      return 0;
    default:
      return state;
  }
}

}  // namespace plumb
