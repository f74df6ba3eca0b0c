// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/insn.h"
#include "core/opcode.h"
#include "core/text_cursor.h"

// One instruction as text, by the templates of core/opcodes.inc. Internal to the case text format.
namespace plumb::text {

// A piece of a template.
struct Element {
  enum class Kind : std::uint8_t { kWord, kSign, kOperand };
  Kind kind;
  std::string_view text;  // the literal, or the operand's letter
};

// The elements of a row's template.
[[nodiscard]] std::span<const Element> elements(Opcode id);

// What an operand names and the rest of the file has to say.
struct Reference {
  enum class Kind : std::uint8_t {
    kNone,
    kLabel,   // name
    kOffset,  // offset: slots from the next instruction, already in the instruction
    kCall,    // name of a function
    kSymbol,  // name of an array, a region (with an offset in it) or a function
  };
  Kind kind = Kind::kNone;
  std::string_view name;  // in the line that was read
  std::uint64_t offset = 0;
  bool has_offset = false;
  std::size_t column = 0;
};

struct ParsedInsn {
  Insn insn;
  std::int32_t high = 0;  // wide loads: the immediate of the second slot
  Reference reference;
};

// Reads an instruction up to the end of the line. Forms that differ only in what a name stands for
// come out as CallFunction and LoadArray.
[[nodiscard]] Read<ParsedInsn> parse_insn(Cursor& cursor);

// Texts of the operands that an instruction refers to by number.
struct OperandNames {
  std::string target;  // of a jump: "L5" or "+3"
  std::string symbol;  // of a call or a wide load, without the offset
};

[[nodiscard]] std::string format_insn(const OpcodeInfo& info, const Insn& insn, std::int32_t high,
                                      const OperandNames& names);

// LLVM writes both views of a register in some places where only one encoding exists: loads and
// stores of at most 32 bits, and "lock ... +=" on 32 bits.
[[nodiscard]] bool takes_either_bank(const OpcodeInfo& info, char operand);

}  // namespace plumb::text
