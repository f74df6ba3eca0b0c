// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/text_cursor.h"

#include <fmt/core.h>

namespace plumb::text {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_word_part(char c) { return is_letter(c) || is_digit(c); }

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

}  // namespace

bool is_name_start(char c) { return is_letter(c); }
bool is_name_part(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '$' || c == '-';
}

bool Number::fits(std::int64_t least, std::uint64_t greatest) const {
  if (!negative || magnitude == 0)
    return magnitude <= greatest && (least <= 0 || magnitude >= static_cast<std::uint64_t>(least));
  return least < 0 && magnitude <= 0 - static_cast<std::uint64_t>(least);
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string shown;
  for (const char c : text.substr(0, kShown)) shown += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > kShown) shown += "...";
  return "'" + shown + "'";
}

void Cursor::skip_blanks() {
  while (is_blank(at(position_))) ++position_;
}

bool Cursor::at_end() {
  skip_blanks();
  return position_ >= line_.size() || line_.substr(position_).starts_with("//");
}

std::string Cursor::found_at(std::size_t column) const {
  Cursor ahead = *this;
  ahead.position_ = column - 1;
  if (ahead.at_end()) return "the end of the line";
  const std::size_t begin = ahead.position_;
  std::size_t end = begin;
  while (is_word_part(at(end)) || at(end) == '.') ++end;
  if (end == begin) ++end;
  return quoted(line_.substr(begin, end - begin));
}

bool Cursor::take_word(std::string_view word) {
  Cursor ahead = *this;
  ahead.skip_blanks();
  if (!line_.substr(ahead.position_).starts_with(word)) return false;
  if (is_word_part(at(ahead.position_ + word.size()))) return false;
  position_ = ahead.position_ + word.size();
  return true;
}

bool Cursor::take_sign(std::string_view sign) {
  Cursor ahead = *this;
  ahead.skip_blanks();
  if (!line_.substr(ahead.position_).starts_with(sign)) return false;
  // "=" is not the start of "==".
  constexpr std::string_view kLonger = "=<>";
  const char next = at(ahead.position_ + sign.size());
  const bool is_bracket = std::string_view("()[],").find(sign.front()) != std::string_view::npos;
  if (!is_bracket && next != '\0' && kLonger.find(next) != std::string_view::npos) return false;
  position_ = ahead.position_ + sign.size();
  return true;
}

std::optional<std::string_view> Cursor::take_name() {
  Cursor ahead = *this;
  ahead.skip_blanks();
  const std::size_t begin = ahead.position_;
  if (!is_name_start(at(begin))) return std::nullopt;
  std::size_t end = begin;
  while (is_name_part(at(end))) ++end;
  position_ = end;
  return line_.substr(begin, end - begin);
}

std::optional<Number> Cursor::take_number() {
  Cursor ahead = *this;
  ahead.skip_blanks();
  std::size_t next = ahead.position_;
  Number number;
  if (at(next) == '-') {
    number.negative = true;
    ++next;
  }
  if (!is_digit(at(next))) return std::nullopt;
  const bool hexadecimal = at(next) == '0' && (at(next + 1) == 'x' || at(next + 1) == 'X');
  const unsigned base = hexadecimal ? 16 : 10;
  if (hexadecimal) {
    next += 2;
  } else if (at(next) == '0' && is_digit(at(next + 1))) {
    number.flaw = "a decimal number does not start with 0";
  }
  const std::size_t first_digit = next;
  for (; digit_value(at(next)) < static_cast<int>(base); ++next) {
    const auto digit = static_cast<std::uint64_t>(digit_value(at(next)));
    if (number.magnitude > (std::numeric_limits<std::uint64_t>::max() - digit) / base) {
      number.flaw = "the number does not fit 64 bits";
    }
    number.magnitude = number.magnitude * base + digit;
  }
  if (next == first_digit || is_name_start(at(next))) number.flaw = "this is not a number";
  position_ = next;
  return number;
}

std::optional<unsigned> Cursor::take_register(char bank) {
  Cursor ahead = *this;
  ahead.skip_blanks();
  std::size_t next = ahead.position_;
  if (at(next) != bank || !is_digit(at(next + 1))) return std::nullopt;
  constexpr unsigned kEnough = 1000;  // out of range anyway
  unsigned number = 0;
  for (++next; is_digit(at(next)); ++next) {
    if (number < kEnough) number = number * 10 + static_cast<unsigned>(at(next) - '0');
  }
  // r10-8 is a register and an offset, r1x and r1.x are names.
  if (is_name_part(at(next)) && at(next) != '-') return std::nullopt;
  position_ = next;
  return number;
}

std::string_view Cursor::take_until_blank() {
  skip_blanks();
  const std::size_t begin = position_;
  while (position_ < line_.size() && !is_blank(line_[position_])) ++position_;
  return line_.substr(begin, position_ - begin);
}

std::string_view Cursor::take_rest() {
  skip_blanks();
  std::string_view rest = line_.substr(position_);
  position_ = line_.size();
  while (!rest.empty() && is_blank(rest.back())) rest.remove_suffix(1);
  return rest;
}

Read<std::string> expect_name(Cursor& cursor, std::string_view what) {
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  const std::optional<std::string_view> name = cursor.take_name();
  if (!name) return problem(column, fmt::format("expected {}, found {}", what, cursor.found()));
  if (name->size() > kMaxNameLength) {
    return problem(column, fmt::format("a name has at most {} characters", kMaxNameLength));
  }
  return std::string(*name);
}

Read<Number> expect_number(Cursor& cursor, std::string_view what, std::int64_t least,
                           std::uint64_t greatest) {
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  const std::optional<Number> number = cursor.take_number();
  if (!number) return problem(column, fmt::format("expected {}, found {}", what, cursor.found()));
  if (!number->flaw.empty()) return problem(column, std::string(number->flaw));
  if (!number->fits(least, greatest)) {
    return problem(column, fmt::format("expected {} from {} to {}", what, least, greatest));
  }
  return *number;
}

Read<void> expect_end(Cursor& cursor) {
  if (cursor.at_end()) return {};
  return problem(cursor.column(),
                 fmt::format("expected the end of the line, found {}", cursor.found()));
}

}  // namespace plumb::text
