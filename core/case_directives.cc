// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <regex>
#include <string>
#include <utility>

#include "core/case_parser.h"

namespace plumb::text {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::uint8_t> parse_byte(std::string_view word) {
  if (word.size() != 2) return std::nullopt;
  const int high = hex_digit(word[0]);
  const int low = hex_digit(word[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<std::uint8_t>(high * 16 + low);
}

// Bytes up to the end of the line, at most limit of them. what: "region 'data'".
Read<std::vector<std::uint8_t>> expect_bytes(Cursor& cursor, std::size_t limit,
                                             std::string_view what) {
  std::vector<std::uint8_t> bytes;
  while (bytes.empty() || !cursor.at_end()) {
    cursor.skip_blanks();
    const std::size_t column = cursor.column();
    const std::string found = cursor.found();
    const std::optional<std::uint8_t> byte = parse_byte(cursor.take_until_blank());
    if (!byte) {
      return problem(column, fmt::format("expected a byte of two hex digits, found {}", found));
    }
    if (bytes.size() == limit) {
      return problem(column, fmt::format("too many bytes for {}", what));
    }
    bytes.push_back(*byte);
  }
  return bytes;
}

// A word of a waiver: printable, no blanks.
Read<std::string> expect_word(Cursor& cursor, std::string_view what) {
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  const std::string_view word = cursor.take_until_blank();
  if (word.empty()) {
    return problem(column, fmt::format("expected {}, found the end of the line", what));
  }
  return std::string(word);
}

// "NAME=VALUE" at the start of the rest of a line: taken, with the blanks behind it.
constexpr std::string_view kLike = "like=";
constexpr std::string_view kCode = "code=";
std::optional<std::string> take_option(std::string_view& rest, std::string_view name) {
  if (!rest.starts_with(name)) return std::nullopt;
  rest.remove_prefix(name.size());
  std::string value(rest.substr(0, rest.find_first_of(" \t")));
  rest.remove_prefix(value.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  return value;
}

// Short: the library reads it by recursion.
bool is_pattern(const std::string& text) {
  if (text.empty() || text.size() > 80) return false;
  try {
    static_cast<void>(std::regex(text));
    return true;
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace

constexpr CaseParser::Directive CaseParser::kDirectives[] = {
    {".array", &CaseParser::read_array},       {".slot", &CaseParser::read_slot},
    {".region", &CaseParser::read_region},     {".bytes", &CaseParser::read_region_bytes},
    {".context", &CaseParser::read_context},   {".program", &CaseParser::read_program},
    {".function", &CaseParser::read_function}, {".stack", &CaseParser::read_stack},
    {".enter", &CaseParser::read_enter},       {".expect", &CaseParser::read_expect},
    {".waive", &CaseParser::read_waive},       {".repeat", &CaseParser::read_repeat},
    {".end", &CaseParser::read_end},           {".callback", &CaseParser::read_callback},
};

CaseParser::Step CaseParser::read_directive(Cursor& cursor) {
  directive_column_ = cursor.column();
  for (const Directive& directive : kDirectives) {
    if (!cursor.take_word(directive.name)) continue;
    if (Step step = (this->*directive.read)(cursor); !step) return step;
    return expect_end(cursor);
  }
  const bool again = cursor.take_word(".case");
  return problem(directive_column_,
                 again ? "'.case' stands in the first line only"
                       : "no such directive: " + quoted(cursor.take_until_blank()));
}

CaseParser::Step CaseParser::check_room(std::size_t count, int limit, std::string_view what) const {
  if (count < static_cast<std::size_t>(limit)) return {};
  return problem(directive_column_, fmt::format("too many {}: at most {}", what, limit));
}

Read<std::string> CaseParser::declare(Cursor& cursor, Names& names, Declared::Kind kind,
                                      std::size_t index) {
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  Read<std::string> name = expect_name(cursor, "a name");
  if (!name) return name;
  const auto [it, is_new] = names.emplace(*name, Declared{kind, index, spot(column)});
  if (is_new) return name;
  return problem(
      column, fmt::format("{} is already declared, line {}", quoted(*name), it->second.spot.line));
}

CaseParser::Step CaseParser::read_array(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  std::vector<ProgArray>& arrays = draft_.value.arrays;
  if (Step step = check_room(arrays.size(), kMaxArrays, "arrays"); !step) return step;
  Read<std::string> name = declare(cursor, draft_.objects, Declared::Kind::kArray, arrays.size());
  if (!name) return std::unexpected(name.error());
  const Read<Number> size = expect_number(cursor, "an array size", 1, kMaxArraySlots);
  if (!size) return std::unexpected(size.error());
  arrays.push_back({std::move(*name), std::vector<int>(size->magnitude, kNoProgram)});
  return {};
}

CaseParser::Step CaseParser::read_slot(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  const Read<std::string> name = expect_name(cursor, "an array name");
  if (!name) return std::unexpected(name.error());
  const auto array = draft_.objects.find(*name);
  if (array == draft_.objects.end() || array->second.kind != Declared::Kind::kArray) {
    return problem(column, fmt::format("there is no array {} above", quoted(*name)));
  }
  const std::size_t owner = array->second.index;
  const std::size_t slots = draft_.value.arrays[owner].slots.size();
  cursor.skip_blanks();
  const std::size_t index_column = cursor.column();
  const Read<Number> index = expect_number(cursor, "a slot index", 0, slots - 1);
  if (!index) return std::unexpected(index.error());
  for (const NameUse& use : draft_.slots) {
    if (use.owner == owner && use.slot == index->magnitude) {
      return problem(index_column, fmt::format("slot {} of {} is already set, line {}", use.slot,
                                               quoted(*name), use.spot.line));
    }
  }
  cursor.skip_blanks();
  NameUse use{.name = {}, .spot = spot(cursor.column()), .owner = owner, .slot = index->magnitude};
  Read<std::string> target = expect_name(cursor, "a program name");
  if (!target) return std::unexpected(target.error());
  use.name = std::move(*target);
  draft_.slots.push_back(std::move(use));
  return {};
}

CaseParser::Step CaseParser::read_region(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  std::vector<Region>& regions = draft_.value.regions;
  if (Step step = check_room(regions.size(), kMaxRegions, "regions"); !step) return step;
  Read<std::string> name = declare(cursor, draft_.objects, Declared::Kind::kRegion, regions.size());
  if (!name) return std::unexpected(name.error());
  const Read<Number> size = expect_number(cursor, "a region size", 1, kMaxRegionSize);
  if (!size) return std::unexpected(size.error());
  regions.push_back({std::move(*name), std::vector<std::uint8_t>(size->magnitude, 0)});
  open_ = Open::kRegion;
  filled_ = 0;
  return {};
}

CaseParser::Step CaseParser::read_region_bytes(Cursor& cursor) {
  if (open_ != Open::kRegion)
    return problem(directive_column_, "'.bytes' stands right after '.region' or '.bytes'");
  Region& region = draft_.value.regions.back();
  const Read<std::vector<std::uint8_t>> bytes =
      expect_bytes(cursor, region.bytes.size() - filled_,
                   fmt::format("region {} of size {}", quoted(region.name), region.bytes.size()));
  if (!bytes) return std::unexpected(bytes.error());
  for (const std::uint8_t byte : *bytes) region.bytes[filled_++] = byte;
  return {};
}

CaseParser::Step CaseParser::read_context(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  std::vector<std::uint8_t>& context = draft_.value.context;
  const Read<std::vector<std::uint8_t>> bytes =
      expect_bytes(cursor, static_cast<std::size_t>(kMaxContextSize) - context.size(),
                   fmt::format("the context, which has at most {}", kMaxContextSize));
  if (!bytes) return std::unexpected(bytes.error());
  context.insert(context.end(), bytes->begin(), bytes->end());
  return {};
}

CaseParser::Step CaseParser::read_program(Cursor& cursor) {
  if (Step step = end_program(); !step) return step;
  std::vector<Program>& programs = draft_.value.programs;
  if (Step step = check_room(programs.size(), kMaxPrograms, "programs"); !step) return step;
  cursor.skip_blanks();
  program_spot_ = spot(cursor.column());
  Read<std::string> name =
      declare(cursor, draft_.programs, Declared::Kind::kProgram, programs.size());
  if (!name) return std::unexpected(name.error());
  programs.push_back({std::move(*name), {}});
  draft_.functions.emplace_back();
  return {};
}

CaseParser::Step CaseParser::read_function(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  if (draft_.value.programs.empty()) {
    return problem(directive_column_, "'.function' stands in a program (.program NAME)");
  }
  std::vector<Function>& functions = program().functions;
  if (Step step = check_room(functions.size(), kMaxFunctions, "functions of a program"); !step) {
    return step;
  }
  cursor.skip_blanks();
  function_spot_ = spot(cursor.column());
  Read<std::string> name =
      declare(cursor, draft_.functions.back(), Declared::Kind::kFunction, functions.size());
  if (!name) return std::unexpected(name.error());
  functions.push_back({std::move(*name), {}, 0});
  open_ = Open::kFunction;
  has_stack_ = false;
  return {};
}

CaseParser::Step CaseParser::read_callback(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  if (draft_.value.programs.empty()) {
    return problem(directive_column_, "'.callback' stands in a program (.program NAME)");
  }
  const std::size_t owner = draft_.value.programs.size() - 1;
  if (!draft_.callbacks.empty() && draft_.callbacks.back().owner == owner) {
    return problem(directive_column_, "'.callback' stands once in a program");
  }
  cursor.skip_blanks();
  NameUse use{.name = {}, .spot = spot(cursor.column()), .owner = owner};
  Read<std::string> name = expect_name(cursor, "a function name");
  if (!name) return std::unexpected(name.error());
  use.name = std::move(*name);
  draft_.callbacks.push_back(std::move(use));
  return {};
}

CaseParser::Step CaseParser::read_stack(Cursor& cursor) {
  if (open_ != Open::kFunction || !function().insns.empty() || has_stack_) {
    return problem(directive_column_,
                   "'.stack' stands once, between '.function' and its first instruction");
  }
  const Read<Number> depth = expect_number(cursor, "a stack depth in bytes", 0, kMaxStackDepth);
  if (!depth) return std::unexpected(depth.error());
  function().stack_depth = static_cast<int>(depth->magnitude);
  has_stack_ = true;
  return {};
}

CaseParser::Step CaseParser::read_repeat(Cursor& cursor) {
  if (open_ != Open::kFunction || repeat_) {
    return problem(directive_column_, "'.repeat' stands in a function, outside of any other");
  }
  const Read<Number> times = expect_number(cursor, "how often", 1, kMaxSlots);
  if (!times) return std::unexpected(times.error());
  repeat_ = {
      .first = function().insns.size(), .times = times->magnitude, .spot = spot(directive_column_)};
  return {};
}

CaseParser::Step CaseParser::read_end(Cursor&) {
  if (!repeat_) return problem(directive_column_, "there is no '.repeat' for this '.end'");
  std::vector<Insn>& insns = function().insns;
  const std::vector<Insn> row(insns.begin() + static_cast<std::ptrdiff_t>(repeat_->first),
                              insns.end());
  if (row.empty()) return problem(repeat_->spot, "nothing is repeated");
  // Both are at most kMaxSlots.
  const std::size_t more = row.size() * (repeat_->times - 1);
  if (Step step = count_slots(more, directive_column_); !step) return step;
  insns.reserve(insns.size() + more);
  for (std::size_t n = 1; n < repeat_->times; ++n)
    insns.insert(insns.end(), row.begin(), row.end());
  repeat_.reset();
  return {};
}

CaseParser::Step CaseParser::read_enter(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  if (draft_.enter) return problem(directive_column_, "'.enter' stands once in a case");
  cursor.skip_blanks();
  NameUse use{.name = {}, .spot = spot(cursor.column())};
  Read<std::string> name = expect_name(cursor, "a program name");
  if (!name) return std::unexpected(name.error());
  use.name = std::move(*name);
  draft_.enter = std::move(use);
  return {};
}

CaseParser::Step CaseParser::read_expect(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  Expectation& expectation = draft_.value.expectation;
  if (expectation.kind != Expectation::Kind::kNone) {
    return problem(directive_column_, "'.expect' stands once in a case");
  }
  if (cursor.take_word("undefined")) {
    expectation.kind = Expectation::Kind::kUndefined;
    return {};
  }
  if (!cursor.take_word("return")) {
    cursor.skip_blanks();
    return problem(cursor.column(), "expected 'return' or 'undefined', found " + cursor.found());
  }
  const Read<Number> number =
      expect_number(cursor, "a number", std::numeric_limits<std::int64_t>::min(),
                    std::numeric_limits<std::uint64_t>::max());
  if (!number) return std::unexpected(number.error());
  expectation = {Expectation::Kind::kReturn, number->bits()};
  return {};
}

CaseParser::Step CaseParser::read_waive(Cursor& cursor) {
  if (Step step = end_function(); !step) return step;
  Read<std::string> signature = expect_word(cursor, "a signature");
  if (!signature) return std::unexpected(signature.error());
  Read<std::string> jits = expect_word(cursor, "a glob of JIT names");
  if (!jits) return std::unexpected(jits.error());
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  std::string_view reason = cursor.take_rest();
  const std::string_view options = reason;
  const std::optional<std::string> like = take_option(reason, kLike);
  if (like && like->empty()) return problem(column + kLike.size(), "expected the name of a JIT");
  const std::size_t code_column = column + (options.size() - reason.size()) + kCode.size();
  const std::optional<std::string> code = take_option(reason, kCode);
  if (code && !is_pattern(*code)) {
    return problem(code_column, "expected a regular expression of at most 80 characters");
  }
  if (reason.empty()) {
    return problem(column, "expected the reason, found the end of the line");
  }
  draft_.value.waivers.push_back({.signature = std::move(*signature),
                                  .jits = std::move(*jits),
                                  .like = like.value_or(""),
                                  .code = code.value_or(""),
                                  .reason = std::string(reason)});
  return {};
}

}  // namespace plumb::text
