// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/core.h>

#include <utility>

#include "core/case_parser.h"
#include "core/case_text.h"
#include "core/repetition.h"
#include "core/stack_depth.h"

namespace plumb {
namespace text {
namespace {

// Bytes that no editor shows would hide in names and messages.
Read<void> check_characters(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    const bool ends_line = c == '\r' && i + 1 == line.size();
    if (c == 0x7f || (c < 0x20 && c != '\t' && !ends_line)) {
      return problem(i + 1, fmt::format("control character {:#04x}", c));
    }
  }
  return {};
}

// The column of a label at the cursor, or nothing. Moves behind the colon.
std::optional<std::string> take_label(Cursor& cursor) {
  Cursor ahead = cursor;
  const std::optional<std::string_view> name = ahead.take_name();
  if (!name || !ahead.take_sign(":")) return std::nullopt;
  cursor = ahead;
  return std::string(*name);
}

}  // namespace

Result<Case> CaseParser::parse(std::string_view text) {
  if (Step step = read_text(text); !step) {
    Problem& what = step.error();
    return std::unexpected(Error{.file = file_,
                                 .line = what.line != 0 ? what.line : line_,
                                 .column = static_cast<int>(what.column),
                                 .message = std::move(what.message)});
  }
  return std::move(draft_.value);
}

CaseParser::Step CaseParser::read_text(std::string_view text) {
  while (line_ == 0 || !text.empty()) {
    ++line_;
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (Step step = read_line(line); !step) return step;
  }
  if (Step step = end_program(); !step) return step;
  if (draft_.value.programs.empty()) {
    return problem(spot(1), "the case has no program: expected .program NAME");
  }
  return resolve(draft_);
}

CaseParser::Step CaseParser::read_line(std::string_view line) {
  if (Step step = check_characters(line); !step) return step;
  Cursor cursor(line);
  if (line_ == 1) return read_first_line(cursor);
  if (cursor.at_end()) {
    if (in_notes_ && cursor.peek() == '/') read_note(cursor.take_rest().substr(2));
    return {};
  }
  in_notes_ = false;
  return cursor.peek() == '.' ? read_directive(cursor) : read_code(cursor);
}

void CaseParser::read_note(std::string_view comment) {
  if (comment.starts_with(' ')) comment.remove_prefix(1);
  draft_.value.notes.emplace_back(comment);
}

CaseParser::Step CaseParser::read_first_line(Cursor& cursor) {
  if (!cursor.take_word(".case")) {
    return problem(1, fmt::format("expected '.case {}' in the first line", kCaseFormatVersion));
  }
  cursor.skip_blanks();
  const std::size_t column = cursor.column();
  const Read<Number> version = expect_number(cursor, "a format version", 1, 1'000'000);
  if (!version) return std::unexpected(version.error());
  if (version->magnitude != kCaseFormatVersion) {
    return problem(column, fmt::format("format version {} is not known; this program reads {}",
                                       version->magnitude, kCaseFormatVersion));
  }
  return expect_end(cursor);
}

CaseParser::Step CaseParser::read_code(Cursor& cursor) {
  if (open_ != Open::kFunction) {
    return problem(cursor.column(), fmt::format("expected a directive, found {}: an instruction "
                                                "stands in a function (.function NAME)",
                                                cursor.found()));
  }
  std::size_t column = cursor.column();
  while (const std::optional<std::string> label = take_label(cursor)) {
    if (repeat_) return problem(column, "no label stands between '.repeat' and '.end'");
    if (label->size() > kMaxNameLength) {
      return problem(column, fmt::format("a name has at most {} characters", kMaxNameLength));
    }
    Step step = labels_.define(*label, function().insns.size(), spot(column));
    if (!step) return step;
    cursor.skip_blanks();
    column = cursor.column();
  }
  return cursor.at_end() ? Step{} : read_insn(cursor);
}

CaseParser::Step CaseParser::read_insn(Cursor& cursor) {
  const std::size_t column = cursor.column();
  const Read<ParsedInsn> parsed = parse_insn(cursor);
  if (!parsed) return std::unexpected(parsed.error());
  if (const char* flaw = malformed(parsed->insn)) return problem(column, flaw);
  if (repeat_ && !may_repeat(parsed->insn)) {
    return problem(column,
                   "what names a place or an object does not stand between '.repeat' and '.end'");
  }

  std::vector<Insn>& insns = function().insns;
  const std::size_t slot = insns.size();
  insns.push_back(parsed->insn);
  if (slot_count(parsed->insn) == 2) insns.push_back({.immediate = parsed->high});
  if (Step step = count_slots(insns.size() - slot, column); !step) return step;

  const Reference& reference = parsed->reference;
  const NameUse use{.name = std::string(reference.name),
                    .spot = spot(reference.column),
                    .owner = draft_.value.programs.size() - 1,
                    .function = program().functions.size() - 1,
                    .slot = slot,
                    .has_offset = reference.has_offset,
                    .offset = reference.offset};
  switch (reference.kind) {
    case Reference::Kind::kNone:
      break;
    case Reference::Kind::kLabel:
    case Reference::Kind::kOffset:
      labels_.jump(reference, slot, use.spot);
      break;
    case Reference::Kind::kCall:
      draft_.calls.push_back(use);
      break;
    case Reference::Kind::kSymbol:
      draft_.symbols.push_back(use);
      break;
  }
  return {};
}

CaseParser::Step CaseParser::count_slots(std::size_t more, std::size_t column) {
  if (more > most_slots_ - slots_) {
    return problem(column, fmt::format("a case has at most {} slots", most_slots_));
  }
  slots_ += more;
  return {};
}

CaseParser::Step CaseParser::end_function() {
  if (repeat_) return problem(repeat_->spot, "there is no '.end' for this '.repeat'");
  const bool was_open = open_ == Open::kFunction;
  open_ = Open::kNothing;
  if (!was_open) return {};
  if (function().insns.empty()) {
    return problem(function_spot_,
                   fmt::format("function {} has no instruction", quoted(function().name)));
  }
  if (Step step = labels_.resolve(function()); !step) return step;
  if (!has_stack_) function().stack_depth = infer_stack_depth(function().insns);
  return {};
}

CaseParser::Step CaseParser::end_program() {
  if (Step step = end_function(); !step) return step;
  if (!draft_.value.programs.empty() && program().functions.empty()) {
    return problem(program_spot_,
                   fmt::format("program {} has no function", quoted(program().name)));
  }
  return {};
}

}  // namespace text

Result<Case> parse_case(std::string_view text, std::string_view file, int most_slots) {
  return text::CaseParser(file, most_slots).parse(text);
}

}  // namespace plumb
