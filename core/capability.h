// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/opcode.h"
#include "core/result.h"

namespace plumb {

// The rows of capabilities.inc, each a bit.
enum class Capability : std::uint64_t {
#define PLUMB_CAPABILITY(id, bit, name, meaning) k##id = std::uint64_t{1} << (bit),
#include "core/capabilities.inc"
};

[[nodiscard]] constexpr std::uint64_t capability_bit(Capability capability) {
  return static_cast<std::uint64_t>(capability);
}

// All of them, and all that are still to come.
inline constexpr std::uint64_t kAllCapabilities = ~std::uint64_t{0};

struct CapabilityInfo {
  Capability capability;
  std::string_view name;
};

inline constexpr std::array kCapabilities{
#define PLUMB_CAPABILITY(id, bit, name, meaning) CapabilityInfo{Capability::k##id, name},
#include "core/capabilities.inc"
};

// "atomics, v4": those of the set that have a name, in the order of the table.
[[nodiscard]] std::string capability_names(std::uint64_t set);

// The named ones, comma-separated; an error says which name is none.
[[nodiscard]] Result<std::uint64_t> parse_capabilities(std::string_view names);

// What an instruction of this form needs from a JIT, whatever its operands are.
[[nodiscard]] std::uint64_t needed_by(const OpcodeInfo& info);

// What this instruction needs, whatever stands around it.
[[nodiscard]] std::uint64_t needed_by(const OpcodeInfo& info, const Insn& insn);

}  // namespace plumb
