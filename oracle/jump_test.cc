// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every conditional jump of the opcode table on boundary pairs, taken and not taken. The model
// knows no comparison operators: it looks at the sign and the borrow of an exact difference.
#include <fmt/core.h>

#include <vector>

#include "core/opcode.h"
#include "core/rng.h"
#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

__extension__ typedef __int128 Wide;  // NOLINT: "using" takes no __extension__

Wide exact(std::uint64_t bits, int width, bool is_signed) {
  const std::uint64_t sign = std::uint64_t{1} << (width - 1);
  const std::uint64_t low = bits & (sign | (sign - 1));
  return is_signed && (low & sign) != 0 ? static_cast<Wide>(low) - (static_cast<Wide>(sign) * 2)
                                        : static_cast<Wide>(low);
}

// -1, 0 or 1, as dst lies below, at or above src.
int order(std::uint64_t dst, std::uint64_t src, int width, bool is_signed) {
  const Wide difference = exact(dst, width, is_signed) - exact(src, width, is_signed);
  return difference == 0 ? 0 : (static_cast<int>(difference >> 100) & 1) != 0 ? -1 : 1;
}

bool model(const OpcodeInfo& info, std::uint64_t dst, std::uint64_t src) {
  const int unsigned_order = order(dst, src, info.width, false);
  const int signed_order = order(dst, src, info.width, true);
  switch (info.operation) {
    case Operation::kJeq:
      return unsigned_order == 0;
    case Operation::kJne:
      return unsigned_order * unsigned_order == 1;
    case Operation::kJgt:
      return unsigned_order == 1;
    case Operation::kJge:
      return unsigned_order + 1 != 0;
    case Operation::kJlt:
      return unsigned_order == -1;
    case Operation::kJle:
      return unsigned_order - 1 != 0;
    case Operation::kJsgt:
      return signed_order == 1;
    case Operation::kJsge:
      return signed_order + 1 != 0;
    case Operation::kJslt:
      return signed_order == -1;
    case Operation::kJsle:
      return signed_order - 1 != 0;
    case Operation::kJset:
      for (int i = 0; i < info.width; ++i) {
        if ((dst >> i & 1) + (src >> i & 1) == 2) return true;
      }
      return false;
    default:
      ADD_FAILURE() << info.name << " has no model";
      return false;
  }
}

std::vector<std::uint64_t> operands() {
  std::vector<std::uint64_t> values = {0,
                                       1,
                                       2,
                                       7,
                                       0x7fffffff,
                                       0x80000000,
                                       0x80000001,
                                       0xffffffff,
                                       0x100000000,
                                       0x1ffffffff,
                                       ~0ull,
                                       ~0ull - 1,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xffffffff80000000,
                                       0xffffffff7fffffff};
  Rng rng(3);
  for (int i = 0; i < 6; ++i) values.push_back(rng.next());
  return values;
}

// r1 ? r2 goes over "r0 = 1".
Case jump_case(const OpcodeInfo& info, std::uint64_t dst, std::uint64_t src,
               std::int32_t immediate) {
  const auto wide = [](std::uint8_t reg, std::uint64_t value, std::vector<Insn>& to) {
    to.push_back(make_insn(Opcode::kLoadImm64, reg, 0, 0, static_cast<std::int32_t>(value)));
    to.push_back({.opcode = 0, .immediate = static_cast<std::int32_t>(value >> 32)});
  };
  std::vector<Insn> insns;
  wide(1, dst, insns);
  wide(2, src, insns);
  insns.push_back(make_insn(Opcode::kMov64Imm, 0, 0, 0, 2));
  const bool reg = info.operand == Operand::kReg;
  insns.push_back(make_insn(info.id, 1, reg ? 2 : 0, 1, reg ? 0 : immediate));
  insns.push_back(make_insn(Opcode::kMov64Imm, 0, 0, 0, 1));
  insns.push_back(make_insn(Opcode::kExit));
  Case value;
  value.programs.push_back({"p", {{"main", insns, 0}}});
  return value;
}

TEST(Jumps, EveryConditionalRowAgreesWithTheModel) {
  int rows = 0;
  for (const OpcodeInfo& info : opcode_table()) {
    if (!is_conditional_jump(info.operation) || info.group == Group::kLinux) continue;
    ++rows;
    int taken = 0;
    int not_taken = 0;
    for (const std::uint64_t dst : operands()) {
      for (const std::uint64_t src : operands()) {
        const auto immediate = static_cast<std::int32_t>(src);
        const std::uint64_t second = info.operand == Operand::kReg
                                         ? src
                                         : static_cast<std::uint64_t>(std::int64_t{immediate});
        const bool goes = model(info, dst, second);
        (goes ? taken : not_taken)++;
        const Execution e = run(jump_case(info, dst, src, immediate), {});
        ASSERT_TRUE(e.defined) << info.name;
        ASSERT_EQ(e.result.bits, goes ? 2u : 1u)
            << info.name << std::hex << " dst " << dst << " src " << second;
        ASSERT_EQ(e.instructions, goes ? 5u : 6u);
      }
    }
    EXPECT_GT(taken, 0) << info.name;
    EXPECT_GT(not_taken, 0) << info.name;
  }
  EXPECT_EQ(rows, 11 * 4);
}

struct Row {
  std::string_view condition;
  std::uint64_t r1;
  std::uint64_t r2;
  bool goes;
};

// Where forms differ: width, signedness, the widening of immediates.
constexpr Row kRows[] = {
    {"r1 == -1", ~0ull, 0, true},
    {"r1 == -1", 0xffffffff, 0, false},
    {"w1 == -1", 0xffffffff, 0, true},
    {"w1 == w2", 0x1'0000'0005, 5, true},
    {"r1 == r2", 0x1'0000'0005, 5, false},
    {"r1 != r2", 0x1'0000'0005, 5, true},
    {"w1 != w2", 0x1'0000'0005, 5, false},
    {"r1 > -1", ~0ull - 1, 0, false},
    {"r1 > -2", ~0ull, 0, true},
    {"r1 > 5", ~0ull, 0, true},
    {"r1 s> 5", ~0ull, 0, false},
    {"r1 s> -2", ~0ull, 0, true},
    {"w1 > w2", 0x80000000, 0x7fffffff, true},
    {"w1 s> w2", 0x80000000, 0x7fffffff, false},
    {"r1 s> r2", 0x80000000, 0x7fffffff, true},
    {"r1 >= r2", 5, 5, true},
    {"r1 s>= r2", 5, 5, true},
    {"r1 <= r2", 5, 5, true},
    {"r1 s<= r2", 5, 5, true},
    {"r1 < r2", 5, 5, false},
    {"r1 s< r2", 5, 5, false},
    {"r1 > r2", 5, 5, false},
    {"r1 s> r2", 5, 5, false},
    {"r1 s< r2", 0x8000000000000000, 0x7fffffffffffffff, true},
    {"r1 < r2", 0x8000000000000000, 0x7fffffffffffffff, false},
    {"w1 s< 0", 0x80000000, 0, true},
    {"r1 s< 0", 0x80000000, 0, false},
    {"w1 < 0", 0, 0, false},
    {"r1 & -2147483648", 0x8000000000000000, 0, true},
    {"w1 & -2147483648", 0x8000000000000000, 0, false},
    {"w1 & w2", 0xf00000000, 0xf00000000, false},
    {"r1 & r2", 0xf00000000, 0xf00000000, true},
    {"r1 & 4", 3, 0, false},
};

TEST(Jumps, GoldenRows) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(fmt::format("{} with r1 = {:#x}, r2 = {:#x}", row.condition, row.r1, row.r2));
    expect_returns(run_text(fmt::format(".program p\n.function main\nr1 = {:#x} ll\nr2 = {:#x} ll\n"
                                        "r0 = 2\nif {} goto out\nr0 = 1\nout:\nexit\n",
                                        row.r1, row.r2, row.condition)),
                   row.goes ? 2 : 1);
  }
}

TEST(Jumps, GoForwardsAndBackwards) {
  expect_returns(run_text(R"(
.program p
.function main
        r0 = 0
        r1 = 5
again:
        r0 += r1
        r1 += -1
        if r1 != 0 goto again
        goto over
back:
        exit
over:
        r0 += 100
        gotol back
)"),
                 115);
}

}  // namespace
}  // namespace plumb::oracle
