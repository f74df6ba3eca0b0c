// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "core/case.h"
#include "core/result.h"

namespace plumb {

inline constexpr int kCaseFormatVersion = 1;

// Parses the text format (docs/case-format.md). file only names the input in errors. On success all
// references are resolved and in bounds, every slot is well-formed (opcode.h, malformed()) and
// every jump lands on an instruction of its function. Whether the *programs* are ones that a
// verifier could accept is oracle/validate.h's question. most_slots: what reads one text after
// another wants no large case.
[[nodiscard]] Result<Case> parse_case(std::string_view text, std::string_view file = "<case>",
                                      int most_slots = kMaxSlots);

// Canonical text; parse_case(print_case(c)) == c for every case that parse_case can return.
[[nodiscard]] std::string print_case(const Case& value);

// The instruction at slot, as print_case would write it, without indentation. Labels are "L<slot>".
[[nodiscard]] std::string print_insn(const Case& value, const Program& program,
                                     const Function& function, std::size_t slot);

// Reads a file of at most kMaxCaseText bytes.
[[nodiscard]] Result<std::string> read_case_text(const std::string& path);

// Reads such a file and parses it.
[[nodiscard]] Result<Case> read_case(const std::string& path);

}  // namespace plumb
