// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <iterator>

#include "core/insn_text.h"

namespace plumb::text {
namespace {

void append_memory(std::string& out, unsigned base, std::int16_t offset) {
  const int magnitude = offset < 0 ? -int{offset} : int{offset};
  fmt::format_to(std::back_inserter(out), "r{} {} {}", base, offset < 0 ? '-' : '+', magnitude);
}

void append_wide(std::string& out, const OpcodeInfo& info, const Insn& insn, std::int32_t high,
                 const OperandNames& names) {
  const auto low = static_cast<std::uint32_t>(insn.immediate);
  const auto upper = static_cast<std::uint32_t>(high);
  if (info.operation == Operation::kLoadImm64) {
    const std::uint64_t bits = std::uint64_t{upper} << 32 | low;
    fmt::format_to(std::back_inserter(out), "{:#x} ll", bits);
    return;
  }
  out += names.symbol;
  if (info.operation == Operation::kLoadRegion && upper != 0) {
    fmt::format_to(std::back_inserter(out), "+{}", upper);
  }
  out += " ll";
}

void append_operand(std::string& out, char letter, const OpcodeInfo& info, const Insn& insn,
                    std::int32_t high, const OperandNames& names) {
  const unsigned dst = insn.dst;
  const unsigned src = insn.src;
  switch (letter) {
    case 'd':
    case 'D':
      fmt::format_to(std::back_inserter(out), "{}{}", letter == 'd' ? 'r' : 'w', dst);
      break;
    case 's':
    case 'S':
      fmt::format_to(std::back_inserter(out), "{}{}", letter == 's' ? 'r' : 'w', src);
      break;
    case 'm':
      append_memory(out, dst, insn.offset);
      break;
    case 'n':
      append_memory(out, src, insn.offset);
      break;
    case 'o':
    case 'O':
      out += names.target;
      break;
    case 'c':
      out +=
          info.operation == Operation::kCallHelper ? fmt::to_string(insn.immediate) : names.symbol;
      break;
    case 'L':
      append_wide(out, info, insn, high, names);
      break;
    default:
      out += fmt::to_string(insn.immediate);
      break;
  }
}

}  // namespace

std::string format_insn(const OpcodeInfo& info, const Insn& insn, std::int32_t high,
                        const OperandNames& names) {
  std::string out;
  for (std::size_t i = 0; i < info.text.size(); ++i) {
    if (info.text[i] == '$') {
      append_operand(out, info.text[++i], info, insn, high, names);
    } else {
      out += info.text[i];
    }
  }
  return out;
}

}  // namespace plumb::text
