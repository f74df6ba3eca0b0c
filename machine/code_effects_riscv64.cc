// SPDX-License-Identifier: GPL-2.0-or-later
//
// Encodings: The RISC-V Instruction Set Manual, volume I, "RV32/64G instruction set listings" and
// "RVC instruction set listings".
#include <initializer_list>
#include <utility>

#include "machine/code_effects.h"

namespace plumb::machine {
namespace {

using unwind::CodeInsn;
using unwind::Effect;
using Base = unwind::Row::Base;
using Kind = Effect::Kind;
using Flow = CodeInsn::Flow;

constexpr std::uint32_t kEbreak = 0x00100073;
constexpr std::uint32_t kUnimp = 0xc0001073;  // writes a register that cannot be written

constexpr unsigned kRa = 1;
constexpr unsigned kSp = 2;
constexpr unsigned kFp = 8;

constexpr std::uint32_t field(std::uint32_t bits, unsigned low, unsigned count) {
  return (bits >> low) & ((1U << count) - 1);
}
constexpr std::int64_t extended(std::int64_t value, unsigned count) {
  const std::int64_t half = std::int64_t{1} << (count - 1);
  return (value & (half - 1)) - (value & half);
}

// Immediates are scattered over an instruction: pieces {lowest bit there, bits, lowest bit in the
// value}.
struct Piece {
  unsigned from = 0;
  unsigned count = 0;
  unsigned to = 0;
};
std::int64_t gathered(std::uint32_t bits, std::initializer_list<Piece> pieces) {
  std::int64_t value = 0;
  for (const Piece& piece : pieces) {
    value |= std::int64_t{field(bits, piece.from, piece.count)} << piece.to;
  }
  return value;
}

bool is_base(unsigned reg) { return reg == kSp || reg == kFp; }
Base base_of(unsigned reg) { return reg == kSp ? Base::kStackPointer : Base::kFramePointer; }

class Decoder {
 public:
  Decoder(std::uint32_t bits, std::uint64_t address) : bits_(bits) {
    insn_.address = address;
    insn_.size = (bits & 3) == 3 ? 4 : 2;
  }

  CodeInsn decode() && {
    switch (bits_ & 3) {
      case 0:
        quadrant_0();
        break;
      case 1:
        quadrant_1();
        break;
      case 2:
        quadrant_2();
        break;
      default:
        full();
    }
    return std::move(insn_);
  }

 private:
  void lose(unsigned reg) {
    if (reg == kRa) insn_.effects.push_back({.kind = Kind::kLoseLr});
    if (reg == kSp) insn_.effects.push_back({.kind = Kind::kLoseSp});
    if (reg == kFp) insn_.effects.push_back({.kind = Kind::kLoseFp});
  }
  void add(unsigned to, unsigned from, std::int64_t value) {
    if (!is_base(to) || !is_base(from)) return lose(to);
    if (to == from) {
      insn_.effects.push_back({.kind = to == kSp ? Kind::kMoveSp : Kind::kMoveFp, .value = value});
    } else {
      insn_.effects.push_back(
          {.kind = to == kSp ? Kind::kSpFromFp : Kind::kFpFromSp, .value = value});
    }
  }
  void load(unsigned to, unsigned base, std::int64_t value, bool is_word) {
    if (!is_word || !is_base(base) || (to != kFp && to != kRa)) return lose(to);
    insn_.effects.push_back(
        {.kind = to == kFp ? Kind::kLoadFp : Kind::kLoadLr, .base = base_of(base), .value = value});
  }
  void store(unsigned from, unsigned base, std::int64_t value, std::uint8_t size) {
    if (!is_base(base)) return;
    const bool is_word = size == 8;
    Kind kind = Kind::kStore;
    if (is_word && from == kFp) kind = Kind::kSaveFp;
    if (is_word && from == kRa) kind = Kind::kSaveLr;
    insn_.effects.push_back({.kind = kind, .base = base_of(base), .value = value, .size = size});
  }
  void go(Flow flow, std::int64_t distance) {
    insn_.flow = flow;
    insn_.target = insn_.address + static_cast<std::uint64_t>(distance);
  }

  void full() {
    const unsigned rd = field(bits_, 7, 5);
    const unsigned rs1 = field(bits_, 15, 5);
    const unsigned funct3 = field(bits_, 12, 3);
    const std::int64_t i_imm = extended(field(bits_, 20, 12), 12);
    switch (field(bits_, 0, 7)) {
      case 0x03:
        return load(rd, rs1, i_imm, funct3 == 3);
      case 0x13:
        return funct3 == 0 ? add(rd, rs1, i_imm) : lose(rd);
      case 0x23:
        return store(field(bits_, 20, 5), rs1,
                     extended(gathered(bits_, {{7, 5, 0}, {25, 7, 5}}), 12),
                     static_cast<std::uint8_t>(1U << (funct3 & 3)));
      case 0x27:  // floating point
        return store(0, rs1, extended(gathered(bits_, {{7, 5, 0}, {25, 7, 5}}), 12),
                     static_cast<std::uint8_t>(1U << (funct3 & 3)));
      case 0x07:
      case 0x43:
      case 0x47:
      case 0x4b:
      case 0x4f:
        return;
      case 0x2f:  // atomics
        store(0, rs1, 0, static_cast<std::uint8_t>(1U << (funct3 & 3)));
        return lose(rd);
      case 0x63:
        return go(Flow::kBranch,
                  extended(gathered(bits_, {{8, 4, 1}, {25, 6, 5}, {7, 1, 11}, {31, 1, 12}}), 13));
      case 0x6f:
        lose(rd);
        return go(
            rd == 0 ? Flow::kJump : Flow::kCall,
            extended(gathered(bits_, {{21, 10, 1}, {20, 1, 11}, {12, 8, 12}, {31, 1, 20}}), 21));
      case 0x67:
        insn_.flow = rd == 0 ? Flow::kStop : Flow::kCall;
        return lose(rd);
      case 0x73:
        if (bits_ == kEbreak || bits_ == kUnimp) insn_.flow = Flow::kStop;
        return lose(rd);
      case 0x0f:  // FENCE
        return;
      default:
        return lose(rd);
    }
  }

  // ---- of 16 bits ----
  [[nodiscard]] unsigned short_rd() const { return field(bits_, 2, 3) + 8; }
  [[nodiscard]] unsigned short_rs1() const { return field(bits_, 7, 3) + 8; }
  [[nodiscard]] unsigned funct3() const { return field(bits_, 13, 3); }

  void quadrant_0() {
    const std::int64_t word_imm = gathered(bits_, {{10, 3, 3}, {5, 2, 6}});
    const std::int64_t half_imm = gathered(bits_, {{10, 3, 3}, {6, 1, 2}, {5, 1, 6}});
    switch (funct3()) {
      case 0:
        if ((bits_ & 0xffff) == 0) {
          insn_.flow = Flow::kStop;
          return;
        }
        return add(short_rd(), kSp, gathered(bits_, {{11, 2, 4}, {7, 4, 6}, {6, 1, 2}, {5, 1, 3}}));
      case 2:
        return load(short_rd(), short_rs1(), half_imm, false);
      case 3:
        return load(short_rd(), short_rs1(), word_imm, true);
      case 6:
        return store(short_rd(), short_rs1(), half_imm, 4);
      case 7:
        return store(short_rd(), short_rs1(), word_imm, 8);
      case 4:  // Zcb: loads and stores of bytes and halves
        return field(bits_, 11, 1) == 0 ? lose(short_rd()) : store(0, short_rs1(), 0, 4);
      case 5:  // floating point
        return store(0, short_rs1(), word_imm, 8);
      default:
        return;
    }
  }

  void quadrant_1() {
    const unsigned rd = field(bits_, 7, 5);
    const std::int64_t imm = extended(gathered(bits_, {{2, 5, 0}, {12, 1, 5}}), 6);
    switch (funct3()) {
      case 0:
        return rd == 0 ? void() : add(rd, rd, imm);
      case 3:
        if (rd != kSp) return lose(rd);
        return add(
            kSp, kSp,
            extended(gathered(bits_, {{6, 1, 4}, {2, 1, 5}, {5, 1, 6}, {3, 2, 7}, {12, 1, 9}}),
                     10));
      case 4:
        return lose(short_rs1());
      case 5:
        return go(Flow::kJump, extended(gathered(bits_, {{3, 3, 1},
                                                         {11, 1, 4},
                                                         {2, 1, 5},
                                                         {7, 1, 6},
                                                         {6, 1, 7},
                                                         {9, 2, 8},
                                                         {8, 1, 10},
                                                         {12, 1, 11}}),
                                        12));
      case 6:
      case 7:
        return go(
            Flow::kBranch,
            extended(gathered(bits_, {{3, 2, 1}, {10, 2, 3}, {2, 1, 5}, {5, 2, 6}, {12, 1, 8}}),
                     9));
      default:
        return lose(rd);
    }
  }

  void quadrant_2() {
    const unsigned rd = field(bits_, 7, 5);
    const unsigned rs2 = field(bits_, 2, 5);
    switch (funct3()) {
      case 3:
        return load(rd, kSp, gathered(bits_, {{5, 2, 3}, {12, 1, 5}, {2, 3, 6}}), true);
      case 4:
        return jump_or_move(rd, rs2);
      case 6:
        return store(rs2, kSp, gathered(bits_, {{9, 4, 2}, {7, 2, 6}}), 4);
      case 7:
        return store(rs2, kSp, gathered(bits_, {{10, 3, 3}, {7, 3, 6}}), 8);
      case 1:  // floating point
        return;
      case 5:
        return store(0, kSp, gathered(bits_, {{10, 3, 3}, {7, 3, 6}}), 8);
      default:
        return lose(rd);
    }
  }

  void jump_or_move(unsigned rd, unsigned rs2) {
    const bool second = field(bits_, 12, 1) != 0;
    if (rs2 == 0) {
      insn_.flow = second && rd != 0 ? Flow::kCall : Flow::kStop;
    } else if (second) {
      lose(rd);
    } else {
      add(rd, rs2, 0);
    }
  }

  std::uint32_t bits_;
  CodeInsn insn_;
};

}  // namespace

CodeInsn riscv64_effects(std::uint32_t bits, std::uint64_t address) {
  return Decoder(bits, address).decode();
}

}  // namespace plumb::machine
