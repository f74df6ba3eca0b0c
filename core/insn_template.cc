// SPDX-License-Identifier: GPL-2.0-or-later
#include <vector>

#include "core/insn_text.h"

namespace plumb::text {
namespace {

constexpr std::string_view kSingleSigns = "()[],*";

std::vector<Element> split(std::string_view text) {
  const auto is_word = [](char c) { return is_name_part(c) && c != '-' && c != '.' && c != '$'; };
  std::vector<Element> result;
  std::size_t next = 0;
  while (next < text.size()) {
    const std::size_t begin = next++;
    if (text[begin] == ' ') continue;
    if (text[begin] == '$') {
      result.push_back({Element::Kind::kOperand, text.substr(next++, 1)});
    } else if (is_word(text[begin])) {
      while (next < text.size() && is_word(text[next])) ++next;
      result.push_back({Element::Kind::kWord, text.substr(begin, next - begin)});
    } else {
      const bool is_assignment = text.substr(begin).starts_with("*=");
      const bool single = kSingleSigns.find(text[begin]) != std::string_view::npos;
      while ((!single || is_assignment) && next < text.size() && text[next] != ' ' &&
             text[next] != '$' && !is_word(text[next])) {
        ++next;
      }
      result.push_back({Element::Kind::kSign, text.substr(begin, next - begin)});
    }
  }
  return result;
}

std::vector<std::vector<Element>> split_all() {
  std::vector<std::vector<Element>> result;
  for (const OpcodeInfo& info : opcode_table()) result.push_back(split(info.text));
  return result;
}

}  // namespace

std::span<const Element> elements(Opcode id) {
  static const std::vector<std::vector<Element>> kElements = split_all();
  return kElements[static_cast<std::size_t>(id)];
}

bool takes_either_bank(const OpcodeInfo& info, char operand) {
  if (info.width > 32) return false;
  if (info.operation == Operation::kLoad) return operand == 'd';
  if (info.operation == Operation::kStore) return operand == 's';
  return info.operation == Operation::kAtomicAdd && operand == 'S';
}

}  // namespace plumb::text
