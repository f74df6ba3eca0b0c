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

void move_base(CodeInsn& insn, unsigned reg, std::int64_t by) {
  if (reg == kSp) insn.effects.push_back({.kind = Kind::kMoveSp, .value = by});
  if (reg == kFp) insn.effects.push_back({.kind = Kind::kMoveFp, .value = by});
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

void memory(CodeInsn& insn, std::uint32_t word) {
  const unsigned reg = field(word, 0, 5);
  const bool load_bit = field(word, 22, 1) != 0;
  if (is(word, 0x3e000000, 0x28000000)) {  // pairs of registers
    constexpr Index kIndex[] = {Index::kNone, Index::kPost, Index::kNone, Index::kPre};
    const unsigned size = field(word, 30, 2) == 2 ? 8 : 4;
    const std::int64_t offset = signed_field(word, 15, 7) * size;
    const unsigned both[] = {reg, field(word, 10, 5)};
    return load_or_store(insn, word, both, load_bit, size, kIndex[field(word, 23, 2)], offset);
  }
  const unsigned scale = field(word, 30, 2);
  const unsigned size = 1U << scale;
  const bool is_load = field(word, 22, 2) != 0;
  const unsigned one[] = {reg};
  if (is(word, 0x3b000000, 0x39000000)) {  // unsigned, scaled offset
    return load_or_store(insn, word, one, is_load, size, Index::kNone,
                         std::int64_t{field(word, 10, 12)} << scale);
  }
  if (is(word, 0x3b200000, 0x38000000)) {  // signed offset
    constexpr Index kIndex[] = {Index::kNone, Index::kPost, Index::kNone, Index::kPre};
    return load_or_store(insn, word, one, is_load, size, kIndex[field(word, 10, 2)],
                         signed_field(word, 12, 9));
  }
  // With a register as offset, atomics, literals: what they write is lost, whatever it is.
  lose(insn, reg);
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
  if (is(word, 0xff000000, 0xd4000000)) insn.flow = Flow::kStop;  // BRK and its like
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
  } else if ((group & 0b1110) == 0b1000 || (group & 0b0111) == 0b0101) {
    // Where register 31 is the stack pointer: ADD and SUB of an extended register, the logical
    // immediates.
    const bool is_sp = is(word, 0x3f200000, 0x0b200000) ||
                       (is(word, 0x1f800000, 0x12000000) && field(word, 29, 2) != 3);
    const unsigned to = field(word, 0, 5);
    if (to == kSp && is_sp) insn.effects.push_back({.kind = Kind::kLoseSp});
    lose(insn, to);
  } else if ((group & 0b1111) == 0) {
    insn.flow = Flow::kStop;  // UDF, and what is not allocated
  }
  return insn;
}

}  // namespace plumb::machine
