// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every arithmetic row of the opcode table on boundary operands, against a second implementation
// that works on single bits and on exact integers, and shares nothing with alu.cc.
#include <array>
#include <utility>
#include <vector>

#include "core/opcode.h"
#include "core/rng.h"
#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

__extension__ typedef __int128 Wide;  // NOLINT: "using" takes no __extension__

// A number of 1 to 64 bits as its bits, lowest first.
struct Bits {
  std::vector<bool> bit;

  Bits(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bit.push_back((value >> i & 1) != 0);
  }
  [[nodiscard]] int width() const { return static_cast<int>(bit.size()); }
  [[nodiscard]] bool at(int i) const { return bit[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::uint64_t number() const {
    std::uint64_t value = 0;
    for (int i = width() - 1; i >= 0; --i) value = value * 2 + (at(i) ? 1 : 0);
    return value;
  }
  // The value as an exact integer; the top bit counts negatively when it is signed.
  [[nodiscard]] Wide integer(bool is_signed) const {
    Wide value = 0;
    Wide weight = 1;
    for (int i = 0; i < width(); ++i, weight *= 2) {
      const bool top = i == width() - 1;
      if (at(i)) value += is_signed && top ? -weight : weight;
    }
    return value;
  }
};

// An exact integer modulo 2^width.
std::uint64_t wrap(Wide value, int width) {
  const Wide modulus = Wide{1} << width;
  return static_cast<std::uint64_t>(((value % modulus) + modulus) % modulus);
}

std::uint64_t multiply(const Bits& a, const Bits& b) {
  Wide sum = 0;
  Wide weighted = a.integer(false);
  for (int i = 0; i < b.width(); ++i) {
    if (b.at(i)) sum = static_cast<Wide>(wrap(sum + weighted, b.width()));
    weighted = static_cast<Wide>(wrap(weighted * 2, b.width()));
  }
  return static_cast<std::uint64_t>(sum);
}

// School division of magnitudes, one bit at a time: quotient and remainder.
std::pair<Wide, Wide> divide(Wide dividend, Wide divisor) {
  Wide quotient = 0;
  Wide rest = 0;
  for (int i = 64; i >= 0; --i) {
    rest = rest * 2 + (dividend >> i & 1);
    quotient *= 2;
    if (rest >= divisor) {
      rest -= divisor;
      quotient += 1;
    }
  }
  return {quotient, rest};
}

// Rounds to zero; the remainder has the sign of the dividend (RFC 9669 section 4.1).
std::uint64_t quotient_or_rest(const Bits& a, const Bits& b, bool is_signed, bool want_rest) {
  const Wide x = a.integer(is_signed);
  const Wide y = b.integer(is_signed);
  if (y == 0) return want_rest ? a.number() : 0;
  auto [quotient, rest] = divide(x < 0 ? -x : x, y < 0 ? -y : y);
  if ((x < 0) != (y < 0)) quotient = -quotient;
  if (x < 0) rest = -rest;
  return wrap(want_rest ? rest : quotient, a.width());
}

std::uint64_t shift(const Bits& a, const Bits& b, Operation operation) {
  const int width = a.width();
  const int count = static_cast<int>(b.number() % static_cast<std::uint64_t>(width));
  const bool fill = operation == Operation::kArsh && a.at(width - 1);
  Bits result(0, width);
  for (int i = 0; i < width; ++i) {
    const int from = operation == Operation::kLsh ? i - count : i + count;
    const bool outside = from < 0 || from >= width;
    result.bit[static_cast<std::size_t>(i)] = outside ? fill : a.at(from);
  }
  return result.number();
}

std::uint64_t bitwise(const Bits& a, const Bits& b, Operation operation) {
  Bits result(0, a.width());
  for (int i = 0; i < a.width(); ++i) {
    const int ones = (a.at(i) ? 1 : 0) + (b.at(i) ? 1 : 0);
    const int least = operation == Operation::kAnd ? 2 : 1;
    const int most = operation == Operation::kXor ? 1 : 2;
    result.bit[static_cast<std::size_t>(i)] = ones >= least && ones <= most;
  }
  return result.number();
}

// The low size bits, bytes in reverse order.
std::uint64_t reversed(std::uint64_t value, int size) {
  std::uint64_t result = 0;
  for (int byte = 0; byte < size / 8; ++byte) {
    result = result * 256 + Bits(value >> (8 * byte), 8).number();
  }
  return result;
}

std::uint64_t model(const OpcodeInfo& info, std::uint64_t dst, std::uint64_t src) {
  const int width = info.width;
  const Bits a(dst, width);
  const Bits b(src, width);
  switch (info.operation) {
    case Operation::kAdd:
      return wrap(a.integer(false) + b.integer(false), width);
    case Operation::kSub:
      return wrap(a.integer(false) - b.integer(false), width);
    case Operation::kMul:
      return multiply(a, b);
    case Operation::kDiv:
    case Operation::kMod:
      return quotient_or_rest(a, b, false, info.operation == Operation::kMod);
    case Operation::kSdiv:
    case Operation::kSmod:
      return quotient_or_rest(a, b, true, info.operation == Operation::kSmod);
    case Operation::kOr:
    case Operation::kAnd:
    case Operation::kXor:
      return bitwise(a, b, info.operation);
    case Operation::kLsh:
    case Operation::kRsh:
    case Operation::kArsh:
      return shift(a, b, info.operation);
    case Operation::kMov:
      return b.number();
    case Operation::kNeg:
      return wrap(-a.integer(true), width);
    case Operation::kMovsx:
      return wrap(Bits(src, info.selector_value).integer(true), width);
    case Operation::kToLe:
      return Bits(dst, info.selector_value).number();
    case Operation::kToBe:
    case Operation::kBswap:
      return reversed(dst, info.selector_value);
    default:
      ADD_FAILURE() << info.name << " has no model";
      return 0;
  }
}

std::vector<std::uint64_t> operands() {
  std::vector<std::uint64_t> values = {
      0,      1,      2,          3,          7,          8,          31,          32,
      33,     63,     64,         65,         0x7f,       0x80,       0xff,        0x7fff,
      0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x100000000, 0x1ffffffff,
  };
  const std::size_t small = values.size();
  for (std::size_t i = 0; i < small; ++i) values.push_back(0 - values[i]);
  values.insert(values.end(), {0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
                               0x0123456789abcdef, 0xfedcba9876543210});
  Rng rng(9669);
  for (int i = 0; i < 8; ++i) values.push_back(rng.next());
  return values;
}

std::vector<std::int32_t> immediates() {
  std::vector<std::int32_t> values = {0,    1,      -1,        2,         -2,        7,  -7,
                                      8,    31,     32,        33,        63,        64, 65,
                                      0x80, 0x8000, INT32_MAX, INT32_MIN, 0x12345678};
  Rng rng(4093);
  for (int i = 0; i < 4; ++i) values.push_back(static_cast<std::int32_t>(rng.next()));
  return values;
}

// r1 = dst, r2 = src, the instruction, return r1.
class AluCase {
 public:
  AluCase() {
    insns_ = {make_insn(Opcode::kLoadImm64, 1),
              Insn{},
              make_insn(Opcode::kLoadImm64, 2),
              Insn{},
              Insn{},
              make_insn(Opcode::kMov64Reg, 0, 1),
              make_insn(Opcode::kExit)};
    value_.programs.push_back({"p", {{"main", insns_, 0}}});
  }
  Execution run_with(const Insn& insn, std::uint64_t dst, std::uint64_t src) {
    std::vector<Insn>& insns = value_.programs[0].functions[0].insns;
    set_wide(&insns[0], dst);
    set_wide(&insns[2], src);
    insns[4] = insn;
    return run(value_, {});
  }

 private:
  static void set_wide(Insn* pair, std::uint64_t value) {
    pair[0].immediate = static_cast<std::int32_t>(value);
    pair[1].immediate = static_cast<std::int32_t>(value >> 32);
  }
  std::vector<Insn> insns_;
  Case value_;
};

void expect_model(AluCase& alu, const OpcodeInfo& info, const Insn& insn, std::uint64_t dst,
                  std::uint64_t src) {
  const Execution execution = alu.run_with(insn, dst, src);
  ASSERT_TRUE(execution.defined) << info.name << ": " << execution.undefined_reason;
  const std::uint64_t second = info.operand == Operand::kImm
                                   ? static_cast<std::uint64_t>(std::int64_t{insn.immediate})
                                   : (insn.src == 1 ? dst : src);
  ASSERT_EQ(execution.result.bits, model(info, dst, second))
      << info.name << std::hex << " dst " << dst << " src " << second;
}

TEST(Alu, EveryRowAgreesWithTheBitwiseModel) {
  AluCase alu;
  int rows = 0;
  for (const OpcodeInfo& info : opcode_table()) {
    if (!is_alu(info.operation)) continue;
    ++rows;
    for (const std::uint64_t dst : operands()) {
      if (info.operand == Operand::kImm) {
        for (const std::int32_t immediate : immediates()) {
          const Insn insn = make_insn(info.id, 1, 0, 0, immediate);
          ASSERT_NO_FATAL_FAILURE(expect_model(alu, info, insn, dst, 0));
        }
        continue;
      }
      const Insn with_itself = make_insn(info.id, 1, info.operand == Operand::kReg ? 1 : 0);
      ASSERT_NO_FATAL_FAILURE(expect_model(alu, info, with_itself, dst, 0));
      if (info.operand == Operand::kNone) continue;
      for (const std::uint64_t src : operands()) {
        ASSERT_NO_FATAL_FAILURE(expect_model(alu, info, make_insn(info.id, 1, 2), dst, src));
      }
    }
  }
  EXPECT_EQ(rows, 14 * 4 + 2 + 5 + 9);
}

// The second operand stays as it was.
TEST(Alu, TheSourceIsNotWritten) {
  for (const OpcodeInfo& info : opcode_table()) {
    if (!is_alu(info.operation) || info.operand != Operand::kReg) continue;
    AluCase alu;
    Case value;
    value.programs.push_back(
        {"p",
         {{"main",
           {make_insn(Opcode::kMov64Imm, 1, 0, 0, 1000), make_insn(Opcode::kMov64Imm, 2, 0, 0, 7),
            make_insn(info.id, 1, 2), make_insn(Opcode::kMov64Reg, 0, 2), make_insn(Opcode::kExit)},
           0}}});
    expect_returns(run(value, {}), 7);
  }
}

}  // namespace
}  // namespace plumb::oracle
