// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

// Reading one line of a case file. Internal to the case text format.
namespace plumb::text {

inline constexpr std::size_t kMaxNameLength = 63;

// What is wrong, in the line that is being read unless a line is given. Both count from 1.
struct Problem {
  std::size_t column = 0;
  std::string message;
  int line = 0;
};

template <typename T>
using Read = std::expected<T, Problem>;

[[nodiscard]] inline std::unexpected<Problem> problem(std::size_t column, std::string message) {
  return std::unexpected(Problem{column, std::move(message), 0});
}

// A number as written. With a flaw the value means nothing.
struct Number {
  bool negative = false;
  std::uint64_t magnitude = 0;
  std::string_view flaw;  // empty, or one clause that says what is wrong

  [[nodiscard]] bool fits(std::int64_t least, std::uint64_t greatest) const;
  // In two's complement, modulo 2^64.
  [[nodiscard]] std::uint64_t bits() const { return negative ? 0 - magnitude : magnitude; }
};

[[nodiscard]] bool is_name_start(char c);
[[nodiscard]] bool is_name_part(char c);

// For messages: in quotes, shortened, without control characters.
[[nodiscard]] std::string quoted(std::string_view text);

// A place in a line. The take_ functions skip blanks first and move only when they succeed.
class Cursor {
 public:
  explicit Cursor(std::string_view line) : line_(line) {}

  [[nodiscard]] std::size_t column() const { return position_ + 1; }
  void skip_blanks();
  // Skips blanks; true when nothing but a comment is left.
  [[nodiscard]] bool at_end();
  // What stands at the cursor, for messages: "'goto'" or "the end of the line".
  [[nodiscard]] std::string found() const { return found_at(column()); }
  [[nodiscard]] std::string found_at(std::size_t column) const;
  // The character at the cursor, '\0' at the end of the line.
  [[nodiscard]] char peek() const { return at(position_); }

  [[nodiscard]] bool take_word(std::string_view word);  // a whole word, letters and digits
  [[nodiscard]] bool take_sign(std::string_view sign);  // operator or bracket
  [[nodiscard]] std::optional<std::string_view> take_name();
  [[nodiscard]] std::optional<Number> take_number();  // decimal or 0x, perhaps with '-'
  // A register of the bank ('r' or 'w'). May be out of range.
  [[nodiscard]] std::optional<unsigned> take_register(char bank);
  // Everything up to the next blank; empty at the end of the line.
  [[nodiscard]] std::string_view take_until_blank();
  // Everything up to the end of the line, without blanks at either end. No comment is looked for.
  [[nodiscard]] std::string_view take_rest();

 private:
  [[nodiscard]] char at(std::size_t position) const {
    return position < line_.size() ? line_[position] : '\0';
  }

  std::string_view line_;
  std::size_t position_ = 0;
};

// Name, number or end of the line, or what stands there instead. what: "an array name".
[[nodiscard]] Read<std::string> expect_name(Cursor& cursor, std::string_view what);
[[nodiscard]] Read<Number> expect_number(Cursor& cursor, std::string_view what, std::int64_t least,
                                         std::uint64_t greatest);
[[nodiscard]] Read<void> expect_end(Cursor& cursor);

}  // namespace plumb::text
