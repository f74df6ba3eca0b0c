// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/known_code.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <regex>
#include <string>

#include "core/case_text.h"
#include "core/edit.h"
#include "core/opcode.h"

namespace plumb::harness {
namespace {

// "3:w1_<<=_w1".
std::string text_of(const Case& value, const Program& program, const Function& function,
                    std::size_t slot) {
  std::string text = std::to_string(slot) + ":" + print_insn(value, program, function, slot);
  std::ranges::replace(text, ' ', '_');
  return text;
}

// The same operands, compared for equality.
Insn jump_if_equal(Insn insn) {
  constexpr std::uint8_t kOperation = 0xf0;
  constexpr std::uint8_t kEqual = 0x10;  // RFC 9669 section 4.3
  insn.opcode = static_cast<std::uint8_t>((insn.opcode & ~kOperation) | kEqual);
  return insn;
}

void remove_from(const Case& value, const Program& program, const Function& function,
                 std::span<const std::regex> patterns, Function& out) {
  const std::vector<bool> starts = instruction_starts(function.insns);
  for (std::size_t slot = function.insns.size(); slot-- > 0;) {
    if (!starts[slot]) continue;
    const std::string text = text_of(value, program, function, slot);
    const bool is_meant = std::ranges::any_of(
        patterns, [&](const std::regex& pattern) { return std::regex_search(text, pattern); });
    if (!is_meant) continue;
    const OpcodeInfo* const info = decode(function.insns[slot]);
    if (info != nullptr && is_conditional_jump(info->operation)) {
      constexpr Insn kGotoNext{.opcode = 0x05};  // RFC 9669 section 4.3
      out.insns[slot] = jump_if_equal(out.insns[slot]);
      (void)splice(out.insns, slot, slot, {&kGotoNext, 1});
    } else {
      const auto size = static_cast<std::size_t>(slot_count(function.insns[slot]));
      // What cannot be removed stays: the case then shows the bug again, and is reported.
      (void)splice(out.insns, slot, slot + size, {});
    }
  }
}

}  // namespace

bool has_code_of(const Waiver& waiver, const Case& value) {
  if (waiver.code.empty()) return true;
  const std::regex pattern(waiver.code);
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      const std::vector<bool> starts = instruction_starts(function.insns);
      for (std::size_t slot = 0; slot < function.insns.size(); ++slot) {
        if (starts[slot] && std::regex_search(text_of(value, program, function, slot), pattern)) {
          return true;
        }
      }
    }
  }
  return false;
}

std::vector<NamedWaiver> for_code_of(std::span<const NamedWaiver> waivers, std::string_view jit,
                                     const Case& value) {
  std::vector<NamedWaiver> fitting;
  std::ranges::copy_if(waivers, std::back_inserter(fitting), [&](const NamedWaiver& named) {
    return names_jit(named.waiver, jit) && has_code_of(named.waiver, value);
  });
  return fitting;
}

Case without_code_of(std::span<const NamedWaiver> waivers, const Case& value) {
  std::vector<std::regex> patterns;
  for (const NamedWaiver& named : waivers) {
    if (!named.waiver.code.empty()) patterns.emplace_back(named.waiver.code);
  }
  Case out = value;
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    const Program& program = value.programs[p];
    for (std::size_t f = 0; f < program.functions.size(); ++f) {
      remove_from(value, program, program.functions[f], patterns, out.programs[p].functions[f]);
    }
  }
  return out;
}

}  // namespace plumb::harness
