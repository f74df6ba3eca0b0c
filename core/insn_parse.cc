// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/core.h>

#include <array>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/insn_mistake.h"
#include "core/insn_text.h"

namespace plumb::text {
namespace {

// These two read as LoadArray: what the name stands for is known at the end of the file.
bool is_alias(const OpcodeInfo& info) {
  return info.operation == Operation::kLoadRegion || info.operation == Operation::kLoadFunction;
}

// Rows that can start with a character, so that a line is not held against all of them.
using RowsByFirst = std::array<std::vector<const OpcodeInfo*>, 128>;

RowsByFirst rows_by_first() {
  RowsByFirst rows;
  for (const OpcodeInfo& info : opcode_table()) {
    if (is_alias(info)) continue;
    const Element& first = elements(info.id).front();
    if (first.kind != Element::Kind::kOperand) {
      rows[static_cast<unsigned char>(first.text.front())].push_back(&info);
      continue;
    }
    const char letter = first.text.front();
    const bool either = takes_either_bank(info, letter);
    const bool wide = letter == 'd' || letter == 's';
    if (wide || either) rows['r'].push_back(&info);
    if (!wide || either) rows['w'].push_back(&info);
  }
  return rows;
}

// Holds a line against one template. Most lines match some template, and the mistakes of the others
// are of no interest: only with farthest are they written down.
class Matcher {
 public:
  Matcher(const OpcodeInfo& info, Cursor cursor, Farthest* farthest)
      : info_(info), cursor_(cursor), farthest_(farthest) {}

  [[nodiscard]] std::optional<ParsedInsn> match();
  [[nodiscard]] Cursor cursor() const { return cursor_; }

 private:
  bool match_element(const Element& element);
  bool match_register(const Element& element);
  bool match_memory(const Element& element);
  bool match_immediate(const Element& element);
  bool match_target(const Element& element);
  bool match_callee(const Element& element);
  bool match_wide(const Element& element);
  bool match_symbol(const Element& element);
  bool set_register(std::optional<unsigned>& field, unsigned number, char bank, std::size_t column);

  bool missing(const Element& element) {
    if (farthest_ == nullptr) return false;
    cursor_.skip_blanks();
    farthest_->expected(cursor_.column(), element);
    return false;
  }
  template <typename... Arguments>
  bool mistake(std::size_t column, fmt::format_string<Arguments...> message,
               Arguments&&... arguments) {
    if (farthest_ == nullptr) return false;
    cursor_.skip_blanks();
    farthest_->mistake(cursor_.column(), column,
                       fmt::format(message, std::forward<Arguments>(arguments)...));
    return false;
  }
  std::size_t begin_operand() {
    cursor_.skip_blanks();
    return cursor_.column();
  }

  const OpcodeInfo& info_;
  Cursor cursor_;
  Farthest* farthest_;
  std::optional<unsigned> dst_;
  std::optional<unsigned> src_;
  std::int16_t offset_ = 0;
  std::int32_t immediate_ = 0;
  std::int32_t high_ = 0;
  Reference reference_;
};

std::optional<ParsedInsn> Matcher::match() {
  for (const Element& element : elements(info_.id)) {
    if (!match_element(element)) return std::nullopt;
  }
  if (!cursor_.at_end()) {
    mistake(cursor_.column(), "expected the end of the line, found {}", cursor_.found());
    return std::nullopt;
  }
  const Insn insn = make_insn(info_.id, static_cast<std::uint8_t>(dst_.value_or(0)),
                              static_cast<std::uint8_t>(src_.value_or(0)), offset_, immediate_);
  return ParsedInsn{insn, high_, reference_};
}

bool Matcher::match_element(const Element& element) {
  if (element.kind == Element::Kind::kWord) {
    return cursor_.take_word(element.text) || missing(element);
  }
  if (element.kind == Element::Kind::kSign) {
    return cursor_.take_sign(element.text) || missing(element);
  }
  switch (element.text.front()) {
    case 'm':
    case 'n':
      return match_memory(element);
    case 'i':
      return match_immediate(element);
    case 'o':
    case 'O':
      return match_target(element);
    case 'c':
      return match_callee(element);
    case 'L':
      return match_wide(element);
    default:
      return match_register(element);
  }
}

bool Matcher::set_register(std::optional<unsigned>& field, unsigned number, char bank,
                           std::size_t column) {
  if (number >= static_cast<unsigned>(kRegisterCount)) {
    return mistake(column, "there is no such register; {0}0 ... {0}10 exist", bank);
  }
  if (field && *field != number) {
    return mistake(column, "expected {}{} here too: both must be the same register", bank, *field);
  }
  field = number;
  return true;
}

bool Matcher::match_register(const Element& element) {
  const char letter = element.text.front();
  const bool destination = letter == 'd' || letter == 'D';
  const char bank = letter == 'd' || letter == 's' ? 'r' : 'w';
  const char other = bank == 'r' ? 'w' : 'r';
  const std::size_t column = begin_operand();
  std::optional<unsigned> number = cursor_.take_register(bank);
  if (!number && takes_either_bank(info_, letter)) number = cursor_.take_register(other);
  if (!number) return missing(element);
  return set_register(destination ? dst_ : src_, *number, bank, column);
}

bool Matcher::match_memory(const Element& element) {
  const std::size_t column = begin_operand();
  const std::optional<unsigned> base = cursor_.take_register('r');
  if (!base) return missing(element);
  if (!set_register(element.text == "m" ? dst_ : src_, *base, 'r', column)) return false;
  const std::size_t sign_column = begin_operand();
  const bool plus = cursor_.take_sign("+");
  if (!plus && !cursor_.take_sign("-")) {
    return mistake(sign_column, "expected '+' or '-' and an offset, found {}", cursor_.found());
  }
  const std::size_t number_column = begin_operand();
  const std::optional<Number> number = cursor_.take_number();
  if (!number || number->negative) {
    return mistake(number_column, "expected an offset: a number without a second sign");
  }
  if (!number->flaw.empty()) return mistake(number_column, "{}", number->flaw);
  if (number->magnitude > (plus ? 0x7fffu : 0x8000u)) {
    return mistake(number_column, "the offset does not fit 16 bits (-32768 ... 32767)");
  }
  offset_ = static_cast<std::int16_t>(plus ? number->magnitude : 0 - number->magnitude);
  return true;
}

bool Matcher::match_immediate(const Element& element) {
  const std::size_t column = begin_operand();
  const std::optional<Number> number = cursor_.take_number();
  if (!number) return missing(element);
  if (!number->flaw.empty()) return mistake(column, "{}", number->flaw);
  if (!number->fits(std::numeric_limits<std::int32_t>::min(),
                    std::numeric_limits<std::uint32_t>::max())) {
    return mistake(column, "the number does not fit 32 bits ('r1 = NUMBER ll' takes 64)");
  }
  immediate_ = static_cast<std::int32_t>(number->bits());
  return true;
}

bool Matcher::match_target(const Element& element) {
  const std::size_t column = begin_operand();
  if (const std::optional<std::string_view> name = cursor_.take_name()) {
    reference_ = {Reference::Kind::kLabel, *name, 0, false, column};
    return true;
  }
  const bool plus = cursor_.take_sign("+");
  const std::optional<Number> number = cursor_.take_number();
  if (!number) return missing(element);
  if (plus && number->negative) return mistake(column, "expected an offset with one sign");
  if (!number->flaw.empty()) return mistake(column, "{}", number->flaw);
  const bool wide = element.text == "O";
  const std::int64_t least =
      wide ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int16_t>::min();
  const std::uint64_t greatest =
      wide ? std::numeric_limits<std::int32_t>::max() : std::numeric_limits<std::int16_t>::max();
  if (!number->fits(least, greatest)) {
    return mistake(column, "the jump's offset does not fit {} bits", wide ? 32 : 16);
  }
  if (wide) {
    immediate_ = static_cast<std::int32_t>(number->bits());
  } else {
    offset_ = static_cast<std::int16_t>(number->bits());
  }
  reference_ = {Reference::Kind::kOffset, {}, 0, false, column};
  return true;
}

bool Matcher::match_callee(const Element& element) {
  if (info_.operation == Operation::kCallHelper) return match_immediate(element);
  const std::size_t column = begin_operand();
  const std::optional<std::string_view> name = cursor_.take_name();
  if (!name) return missing(element);
  reference_ = {Reference::Kind::kCall, *name, 0, false, column};
  return true;
}

bool Matcher::match_wide(const Element& element) {
  if (info_.operation != Operation::kLoadImm64) return match_symbol(element);
  const std::size_t column = begin_operand();
  const std::optional<Number> number = cursor_.take_number();
  if (!number) return missing(element);
  if (!cursor_.take_word("ll")) return missing({Element::Kind::kWord, "ll"});
  if (!number->flaw.empty()) return mistake(column, "{}", number->flaw);
  if (!number->fits(std::numeric_limits<std::int64_t>::min(),
                    std::numeric_limits<std::uint64_t>::max())) {
    return mistake(column, "the number does not fit 64 bits");
  }
  immediate_ = static_cast<std::int32_t>(number->bits());
  high_ = static_cast<std::int32_t>(number->bits() >> 32);
  return true;
}

bool Matcher::match_symbol(const Element& element) {
  const std::size_t column = begin_operand();
  const std::optional<std::string_view> name = cursor_.take_name();
  if (!name) return missing(element);
  reference_ = {Reference::Kind::kSymbol, *name, 0, false, column};
  if (cursor_.take_sign("+")) {
    const std::size_t number_column = begin_operand();
    const std::optional<Number> number = cursor_.take_number();
    if (!number || number->negative) return mistake(number_column, "expected an offset");
    if (!number->flaw.empty()) return mistake(number_column, "{}", number->flaw);
    reference_.offset = number->magnitude;
    reference_.has_offset = true;
  }
  if (cursor_.take_word("ll")) return true;
  return mistake(column, "{} is no operand here; an array, region or function is written 'NAME ll'",
                 quoted(*name));
}

}  // namespace

Read<ParsedInsn> parse_insn(Cursor& cursor) {
  static const RowsByFirst kRows = rows_by_first();
  cursor.skip_blanks();
  const auto first = static_cast<unsigned char>(cursor.peek());
  std::span<const OpcodeInfo* const> rows;
  if (first < kRows.size()) rows = kRows[first];
  for (const OpcodeInfo* info : rows) {
    Matcher matcher(*info, cursor, nullptr);
    if (std::optional<ParsedInsn> parsed = matcher.match()) {
      cursor = matcher.cursor();
      return *parsed;
    }
  }
  Farthest farthest;
  for (const OpcodeInfo* info : rows) (void)Matcher(*info, cursor, &farthest).match();
  return std::unexpected(farthest.report(cursor));
}

}  // namespace plumb::text
