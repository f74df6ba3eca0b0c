// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/printable.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

namespace plumb {
namespace {

struct Character {
  std::size_t size = 1;
  std::uint32_t code = 0;
  bool is_valid = false;
};

// The first character of a text that is not empty: RFC 3629.
Character first_character(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {.size = 1, .code = lead, .is_valid = true};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kLeast[size] || code > 0x10ffff || is_surrogate) return {};
  return {.size = size, .code = code, .is_valid = true};
}

// C0, DEL and C1; line and paragraph separators; embeddings, overrides and isolates of writing
// direction (Unicode Standard Annex 9).
bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

std::string escaped(std::uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  return code < 0x100 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string line;
  while (!text.empty()) {
    const Character character = first_character(text);
    std::string shown(text.substr(0, character.size));
    if (!character.is_valid) {
      shown = escaped(static_cast<std::uint8_t>(text[0]));
    } else if (is_control(character.code)) {
      shown = escaped(character.code);
    }
    if (line.size() + shown.size() > most) return line + "...";
    line += shown;
    text.remove_prefix(character.size);
  }
  return line;
}

}  // namespace plumb
