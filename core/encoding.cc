// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/encoding.h"

#include "core/check.h"

namespace plumb {

std::array<std::uint8_t, kSlotBytes> encode(const Insn& insn) {
  PLUMB_CHECK(insn.dst < 16 && insn.src < 16);
  const auto offset = static_cast<std::uint16_t>(insn.offset);
  const auto immediate = static_cast<std::uint32_t>(insn.immediate);
  return {insn.opcode,
          static_cast<std::uint8_t>(insn.dst | insn.src << 4),
          static_cast<std::uint8_t>(offset),
          static_cast<std::uint8_t>(offset >> 8),
          static_cast<std::uint8_t>(immediate),
          static_cast<std::uint8_t>(immediate >> 8),
          static_cast<std::uint8_t>(immediate >> 16),
          static_cast<std::uint8_t>(immediate >> 24)};
}

Insn decode_slot(std::span<const std::uint8_t, kSlotBytes> bytes) {
  const auto offset = static_cast<std::uint16_t>(bytes[2] | bytes[3] << 8);
  const std::uint32_t immediate = std::uint32_t{bytes[4]} | std::uint32_t{bytes[5]} << 8 |
                                  std::uint32_t{bytes[6]} << 16 | std::uint32_t{bytes[7]} << 24;
  return {.opcode = bytes[0],
          .dst = static_cast<std::uint8_t>(bytes[1] & 15),
          .src = static_cast<std::uint8_t>(bytes[1] >> 4),
          .offset = static_cast<std::int16_t>(offset),
          .immediate = static_cast<std::int32_t>(immediate)};
}

}  // namespace plumb
