// SPDX-License-Identifier: GPL-2.0-or-later
//
// Encodings: Arm Architecture Reference Manual (DDI 0487), C4.1 "A64 instruction set encoding".
#include "machine/code_effects.h"

namespace plumb::machine {
namespace {

using unwind::CodeInsn;
using unwind::Effect;
using Base = unwind::Row::Base;
using Kind = Effect::Kind;
using Flow = CodeInsn::Flow;

constexpr unsigned kFp = 29;
constexpr unsigned kLr = 30;
constexpr unsigned kSp = 31;

constexpr std::uint32_t field(std::uint32_t word, unsigned low, unsigned bits) {
  return (word >> low) & ((1U << bits) - 1);
}
constexpr std::int64_t signed_field(std::uint32_t word, unsigned low, unsigned bits) {
  const std::int64_t value = field(word, low, bits);
  const std::int64_t half = std::int64_t{1} << (bits - 1);
  return value >= half ? value - 2 * half : value;
}
constexpr bool is(std::uint32_t word, std::uint32_t mask, std::uint32_t value) {
  return (word & mask) == value;
}

bool is_base(unsigned reg) { return reg == kSp || reg == kFp; }
Base base_of(unsigned reg) { return reg == kSp ? Base::kStackPointer : Base::kFramePointer; }

void lose(CodeInsn& insn, unsigned reg) {
  if (reg == kFp) insn.effects.push_back({.kind = Kind::kLoseFp});
  if (reg == kLr) insn.effects.push_back({.kind = Kind::kLoseLr});
}
// Where register 31 is the stack pointer.
void lose_or_sp(CodeInsn& insn, unsigned reg) {
  if (reg == kSp) insn.effects.push_back({.kind = Kind::kLoseSp});
  lose(insn, reg);
}

void move_base(CodeInsn& insn, unsigned reg, std::int64_t by) {
  if (reg == kSp) insn.effects.push_back({.kind = Kind::kMoveSp, .value = by});
  if (reg == kFp) insn.effects.push_back({.kind = Kind::kMoveFp, .value = by});
  if (reg == kLr) insn.effects.push_back({.kind = Kind::kLoseLr});
}

// So many bytes between a register and [base + value].
void transfer(CodeInsn& insn, unsigned reg, bool is_load, unsigned size, unsigned base,
              std::int64_t value) {
  const bool is_word = size == 8;
  if (!is_base(base)) {
    if (is_load) lose(insn, reg);
    return;
  }
  Effect effect{.kind = Kind::kStore,
                .base = base_of(base),
                .value = value,
                .size = static_cast<std::uint8_t>(size)};
  const bool is_followed = is_word && (reg == kFp || reg == kLr);
  if (is_load && !is_followed) return lose(insn, reg);
  if (is_followed && is_load) effect.kind = reg == kFp ? Kind::kLoadFp : Kind::kLoadLr;
  if (is_followed && !is_load) effect.kind = reg == kFp ? Kind::kSaveFp : Kind::kSaveLr;
  insn.effects.push_back(effect);
}

// No register of these: one of floating point.
constexpr unsigned kOther = 32;
bool is_vector(std::uint32_t word) { return field(word, 26, 1) != 0; }

// How the address of a load or store moves its base.
enum class Index : std::uint8_t { kNone, kPost, kPre };

// Of one register or two.
void load_or_store(CodeInsn& insn, std::uint32_t word, std::span<const unsigned> registers,
                   bool is_load, unsigned size, Index index, std::int64_t offset) {
  const unsigned base = field(word, 5, 5);
  if (index == Index::kPre) move_base(insn, base, offset);
  std::int64_t at = index == Index::kNone ? offset : 0;
  for (const unsigned reg : registers) {
    transfer(insn, reg, is_load, size, base, at);
    at += size;
  }
  if (index == Index::kPost) move_base(insn, base, offset);
}

constexpr Index kIndex[] = {Index::kNone, Index::kPost, Index::kNone, Index::kPre};

void pair(CodeInsn& insn, std::uint32_t word) {
  const unsigned opc = field(word, 30, 2);
  const bool is_load = field(word, 22, 1) != 0;
  const Index index = kIndex[field(word, 23, 2)];
  const std::int64_t offset = signed_field(word, 15, 7);
  if (is_vector(word)) {
    const unsigned size = 4U << (opc & 3);
    const unsigned both[] = {kOther, kOther};
    return load_or_store(insn, word, both, is_load, size, index, offset * size);
  }
  const unsigned both[] = {field(word, 0, 5), field(word, 10, 5)};
  const bool is_tagged = opc == 1 && !is_load;  // STGP, which counts in granules of 16 bytes
  const unsigned size = opc == 2 || is_tagged ? 8 : 4;
  load_or_store(insn, word, both, is_load, size, index, offset * (is_tagged ? 16 : size));
}

// With an offset in the instruction.
void one(CodeInsn& insn, std::uint32_t word, Index index, bool is_scaled) {
  unsigned scale = field(word, 30, 2);
  bool is_load = field(word, 22, 2) != 0;
  if (is_vector(word)) {
    scale |= field(word, 23, 1) << 2;
    is_load = field(word, 22, 1) != 0;
  }
  const unsigned reg[] = {is_vector(word) ? kOther : field(word, 0, 5)};
  const std::int64_t offset =
      is_scaled ? std::int64_t{field(word, 10, 12)} << scale : signed_field(word, 12, 9);
  load_or_store(insn, word, reg, is_load, 1U << scale, index, offset);
}

// Exclusive and ordered ones, compare and swap, atomics: no offset, and some write several
// registers. What lies there is taken as written.
void atomic(CodeInsn& insn, std::uint32_t word, unsigned size) {
  transfer(insn, kOther, false, size, field(word, 5, 5), 0);
  lose(insn, field(word, 0, 5));
  if (is(word, 0xffe0ec00, 0xf820a000)) lose(insn, field(word, 16, 5));  // ST64BV, ST64BV0
}

void memory(CodeInsn& insn, std::uint32_t word) {
  if (is(word, 0x3a000000, 0x28000000)) return pair(insn, word);
  if (is(word, 0x3b000000, 0x39000000)) return one(insn, word, Index::kNone, true);
  if (is(word, 0x3b200000, 0x38000000)) return one(insn, word, kIndex[field(word, 10, 2)], false);
  if (is(word, 0x3b200c00, 0x38200800)) {  // a register as offset: where that is, nobody knows
    if (!is_vector(word) && field(word, 22, 2) != 0) lose(insn, field(word, 0, 5));
    return;
  }
  if (is(word, 0x3b000000, 0x18000000)) {  // literals
    return is_vector(word) ? void() : lose(insn, field(word, 0, 5));
  }
  if (is(word, 0x3f200c00, 0x38200000)) return atomic(insn, word, 1U << field(word, 30, 2));
  // All others: whatever they name is lost. Bits 16 to 20 of CASP name two registers.
  const bool is_exclusive = is(word, 0x3f000000, 0x08000000);
  const unsigned third = field(word, 16, 5);
  if (is_exclusive) {
    atomic(insn, word, 16);
  } else {
    lose_or_sp(insn, field(word, 5, 5));
    lose(insn, field(word, 0, 5));
  }
  lose(insn, field(word, 10, 5));
  lose(insn, third == kFp - 1 ? kFp : third);
}

void add_immediate(CodeInsn& insn, std::uint32_t word) {
  const unsigned to = field(word, 0, 5);
  const unsigned from = field(word, 5, 5);
  if (!is_base(to)) return lose(insn, to);
  std::int64_t value = field(word, 10, 12);
  if (field(word, 22, 1) != 0) value <<= 12;
  if (field(word, 30, 1) != 0) value = -value;
  if (to == from) return move_base(insn, to, value);
  if (!is_base(from)) {
    insn.effects.push_back({.kind = to == kSp ? Kind::kLoseSp : Kind::kLoseFp});
    return;
  }
  insn.effects.push_back({.kind = to == kSp ? Kind::kSpFromFp : Kind::kFpFromSp, .value = value});
}

void branch(CodeInsn& insn, std::uint32_t word) {
  const auto to = [&](Flow flow, std::int64_t words) {
    insn.flow = flow;
    insn.target = insn.address + static_cast<std::uint64_t>(words * 4);
  };
  if (is(word, 0xfc000000, 0x14000000)) return to(Flow::kJump, signed_field(word, 0, 26));
  if (is(word, 0xfc000000, 0x94000000)) return to(Flow::kCall, signed_field(word, 0, 26));
  if (is(word, 0xff000000, 0x54000000)) return to(Flow::kBranch, signed_field(word, 5, 19));
  if (is(word, 0x7e000000, 0x34000000)) return to(Flow::kBranch, signed_field(word, 5, 19));
  if (is(word, 0x7e000000, 0x36000000)) return to(Flow::kBranch, signed_field(word, 5, 14));
  if (is(word, 0xfe000000, 0xd6000000)) {  // to a register: jumps, calls, returns
    insn.flow = field(word, 21, 3) == 1 ? Flow::kCall : Flow::kStop;
    return;
  }
  const bool traps = is(word, 0xff000000, 0xd4000000);    // BRK and its like
  const bool returns = is(word, 0xff80001f, 0x5500001f);  // RETAASPPC, RETABSPPC
  if (traps || returns) insn.flow = Flow::kStop;
  if (!is(word, 0xffa00000, 0xd5200000)) return;
  const unsigned into = field(word, 0, 5);  // MRS, SYSL, and MRRS into two
  lose(insn, into);
  if (field(word, 22, 1) != 0) lose(insn, into + 1);
}

// Of the instructions that compute: is register 31, as destination, the stack pointer?
bool writes_sp(std::uint32_t word) {
  return is(word, 0x3f000000, 0x11000000) ||  // ADD and SUB with an immediate, ADDG, SUBG
         is(word, 0x3f200000, 0x0b200000) ||  // ADD and SUB of an extended register
         (is(word, 0x1f800000, 0x12000000) && field(word, 29, 2) != 3) ||  // logical immediates
         is(word, 0xbfe0e000, 0x9a002000) ||                               // ADDPT, SUBPT
         is(word, 0xffe0fc00, 0x9ac01000);                                 // IRG
}

}  // namespace

CodeInsn arm64_effects(std::uint32_t word, std::uint64_t address) {
  CodeInsn insn{.address = address, .size = 4};
  const std::uint32_t group = field(word, 25, 4);
  if ((group & 0b1110) == 0b1010) {
    branch(insn, word);
  } else if ((group & 0b0101) == 0b0100) {
    memory(insn, word);
  } else if (is(word, 0xbf800000, 0x91000000)) {  // ADD, SUB of 64 bits with an immediate
    add_immediate(insn, word);
  } else if ((group & 0b1100) == 0) {
    // UDF, and what is not allocated; SVE and SME.
    insn.flow = group == 0b0010 ? Flow::kNext : Flow::kStop;
    lose_or_sp(insn, field(word, 0, 5));
  } else if (writes_sp(word)) {
    lose_or_sp(insn, field(word, 0, 5));
  } else {
    lose(insn, field(word, 0, 5));
  }
  return insn;
}

}  // namespace plumb::machine
