// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace plumb {

// The rows of capabilities.inc, each a bit.
enum class Capability : std::uint64_t {
#define PLUMB_CAPABILITY(id, bit, name, meaning) k##id = std::uint64_t{1} << (bit),
#include "core/capabilities.inc"
};

[[nodiscard]] constexpr std::uint64_t capability_bit(Capability capability) {
  return static_cast<std::uint64_t>(capability);
}

struct CapabilityInfo {
  Capability capability;
  std::string_view name;
};

inline constexpr std::array kCapabilities{
#define PLUMB_CAPABILITY(id, bit, name, meaning) CapabilityInfo{Capability::k##id, name},
#include "core/capabilities.inc"
};

}  // namespace plumb
