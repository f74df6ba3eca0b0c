// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/case_draft.h"
#include "core/result.h"

namespace plumb::text {

// Reads one text, line by line. Internal to the case text format: case_parse.cc reads lines and
// code, case_directives.cc the directives.
class CaseParser {
 public:
  CaseParser(std::string_view file, int most_slots)
      : file_(file), most_slots_(static_cast<std::size_t>(most_slots)) {}
  [[nodiscard]] Result<Case> parse(std::string_view text);

 private:
  using Step = Read<void>;
  struct Directive {
    std::string_view name;
    Step (CaseParser::*read)(Cursor& cursor);
  };
  // An open '.repeat'.
  struct Repeat {
    std::size_t first = 0;  // slot of the function
    std::size_t times = 0;
    Spot spot;
  };
  // What the lines that follow may add to.
  enum class Open : std::uint8_t { kNothing, kRegion, kFunction };

  static const Directive kDirectives[];

  Step read_text(std::string_view text);
  Step read_line(std::string_view line);
  Step read_first_line(Cursor& cursor);
  void read_note(std::string_view comment);
  Step read_code(Cursor& cursor);
  Step read_insn(Cursor& cursor);
  Step count_slots(std::size_t more, std::size_t column);
  Step end_function();
  Step end_program();

  Step read_directive(Cursor& cursor);
  Step read_array(Cursor& cursor);
  Step read_slot(Cursor& cursor);
  Step read_region(Cursor& cursor);
  Step read_region_bytes(Cursor& cursor);
  Step read_context(Cursor& cursor);
  Step read_program(Cursor& cursor);
  Step read_function(Cursor& cursor);
  Step read_callback(Cursor& cursor);
  Step read_stack(Cursor& cursor);
  Step read_repeat(Cursor& cursor);
  Step read_end(Cursor& cursor);
  Step read_enter(Cursor& cursor);
  Step read_expect(Cursor& cursor);
  Step read_waive(Cursor& cursor);

  [[nodiscard]] Step check_room(std::size_t count, int limit, std::string_view what) const;
  // Reads a new name and enters it.
  Read<std::string> declare(Cursor& cursor, Names& names, Declared::Kind kind, std::size_t index);
  [[nodiscard]] Spot spot(std::size_t column) const { return {line_, column}; }
  [[nodiscard]] Program& program() { return draft_.value.programs.back(); }
  [[nodiscard]] Function& function() { return program().functions.back(); }

  std::string file_;
  std::size_t most_slots_;
  std::size_t slots_ = 0;  // of all functions so far, at most most_slots_
  int line_ = 0;
  std::size_t directive_column_ = 0;
  Open open_ = Open::kNothing;
  bool in_notes_ = true;
  Draft draft_;
  Labels labels_;           // of the open function
  bool has_stack_ = false;  // the open function gave .stack
  std::optional<Repeat> repeat_;
  std::size_t filled_ = 0;  // bytes of the open region that .bytes gave
  Spot function_spot_;      // of the open function
  Spot program_spot_;       // of the last program
};

}  // namespace plumb::text
