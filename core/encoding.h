// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/insn.h"

namespace plumb {

inline constexpr std::size_t kSlotBytes = 8;

// One slot as bytes, little-endian (RFC 9669 section 3.1): opcode, registers (destination in the
// low nibble), offset, immediate. Registers must fit four bits.
[[nodiscard]] std::array<std::uint8_t, kSlotBytes> encode(const Insn& insn);

// The reverse. Every eight bytes are a slot; whether it is well-formed is malformed()'s question.
[[nodiscard]] Insn decode_slot(std::span<const std::uint8_t, kSlotBytes> bytes);

}  // namespace plumb
