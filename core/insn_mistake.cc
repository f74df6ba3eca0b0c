// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/insn_mistake.h"

#include <fmt/core.h>

#include <algorithm>

namespace plumb::text {
namespace {

std::string describe(const Element& element) {
  if (element.kind != Element::Kind::kOperand) return quoted(element.text);
  switch (element.text.front()) {
    case 'd':
    case 's':
      return "a register r0 ... r10";
    case 'D':
    case 'S':
      return "a register w0 ... w10";
    case 'm':
    case 'n':
      return "a base register r0 ... r10";
    case 'o':
    case 'O':
      return "a label or an offset like +3";
    case 'c':
      return "a helper number or a function name";
    default:
      return "a number";
  }
}

}  // namespace

Problem Farthest::report(const Cursor& start) const {
  if (has_mistake_) return mistake_;
  if (column_ <= start.column()) {
    return {start.column(), "no instruction starts with " + start.found(), 0};
  }
  const std::string found = start.found_at(column_);
  std::vector<std::string> texts;
  bool only_signs = true;
  for (const Element& element : wanted_) {
    only_signs = only_signs && element.kind != Element::Kind::kOperand;
    std::string text = describe(element);
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  }
  constexpr std::size_t kListed = 7;
  if (texts.size() > kListed) {
    return {column_,
            fmt::format("expected {}, found {}", only_signs ? "an operator" : "an operand", found),
            0};
  }
  std::string list;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) list += i + 1 == texts.size() ? " or " : ", ";
    list += texts[i];
  }
  return {column_, fmt::format("expected {}, found {}", list, found), 0};
}

}  // namespace plumb::text
