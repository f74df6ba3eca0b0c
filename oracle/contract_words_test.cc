// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the words of the contract mean to the oracle, where they are not Linux's or not said.
#include <fmt/core.h>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

constexpr Contract kEnds{.division_by_zero = DivisionByZero::kEndsProgram};
constexpr Contract kUnsaidDivision{.division_by_zero = DivisionByZero::kUnknown};
constexpr Contract kUnsaidSlots{.empty_slot_consumes_count = Tristate::kUnknown};

// Divides by r7, and returns what is left plus 100.
std::string divides(std::string_view instruction, std::string_view divisor) {
  return in_main(
      fmt::format("r6 = 7\nr7 = {} ll\n{}\nr0 = r6\nr0 += 100\nexit", divisor, instruction));
}

TEST(ContractWords, ADivisionByZeroEndsTheProgramWhereTheContractSaysSo) {
  for (const std::string_view instruction :
       {"r6 /= r7", "r6 s/= r7", "r6 %= r7", "r6 s%= r7", "w6 /= w7", "w6 %= w7"}) {
    SCOPED_TRACE(instruction);
    const Execution ended = run_text(divides(instruction, "0"), kEnds);
    expect_returns(ended, 0);
    ASSERT_EQ(ended.trace.size(), 1u);
    EXPECT_EQ(ended.trace[0].kind, EventKind::kExit);
    EXPECT_EQ(ended.trace[0].at.slot, 3);
    expect_returns(run_text(divides(instruction, "0")),
                   instruction.find('%') == std::string_view::npos ? 100 : 107);
    EXPECT_EQ(run_text(divides(instruction, "2"), kEnds), run_text(divides(instruction, "2")));
  }
}

// Of 32 bits, the lower half of the divisor counts.
TEST(ContractWords, HalfADivisorCanBeZero) {
  expect_returns(run_text(divides("w6 /= w7", "0x500000000"), kEnds), 0);
  expect_returns(run_text(divides("r6 /= r7", "0x500000000"), kEnds), 100);
}

TEST(ContractWords, ADivisionByZeroInACalledFunctionEndsTheInvocation) {
  constexpr std::string_view kText = R"(
.region map 8
.program p
.function main
        call f
        r0 = 5
        exit
.function f
        r1 = map ll
        *(u64 *)(r1 + 0) = 9
        r2 = 0
        r1 = 1
        r1 /= r2
        r0 = 1
        exit
)";
  const Execution ended = run_text(kText, kEnds);
  expect_returns(ended, 0);
  EXPECT_EQ(ended.regions[0].bytes[0], 9);
  EXPECT_EQ(ended.trace.size(), 2u);
}

TEST(ContractWords, ADivisionByZeroIsUnsaidWhereTheContractIsSilent) {
  const Execution unsaid = run_text(divides("r6 /= r7", "0"), kUnsaidDivision);
  EXPECT_FALSE(unsaid.defined);
  EXPECT_TRUE(unsaid.unsaid);
  EXPECT_FALSE(unsaid.blind_spot);
  EXPECT_EQ(unsaid.undefined_reason, reason_phrase(Reason::kDivisionByZero));
  EXPECT_EQ(unsaid.undefined_detail, "p.main at slot 3: r6 /= r7");
  EXPECT_TRUE(run_text(divides("r6 /= r7", "2"), kUnsaidDivision).defined);
  EXPECT_FALSE(run_text(in_main("r0 = r2\nexit")).unsaid);
}

// Tries an empty slot so often, then tail-calls itself until it may no more.
std::string tries_empty_slot(int attempts) {
  return fmt::format(R"(
.array jmp 2
.slot jmp 0 p
.program p
.function main
        r6 = r1
        r7 = {}
again:
        r1 = r6
        r2 = jmp ll
        r3 = 1
        call 12
        r7 += -1
        if r7 != 0 goto again
        r1 = r6
        r2 = jmp ll
        r3 = {}
        call 12
        r0 = 3
        exit
)",
                     attempts, attempts == 1 ? 0 : 1);
}

TEST(ContractWords, WhetherEmptySlotsCountIsUnsaidWhereItMatters) {
  const Execution matters = run_text(tries_empty_slot(1), kUnsaidSlots);
  EXPECT_TRUE(matters.unsaid);
  EXPECT_EQ(matters.undefined_reason, reason_phrase(Reason::kEmptySlotMatters));
  EXPECT_EQ(matters.undefined_detail, "p.main at slot 6: call 12");
  // Three attempts and nothing else: they are refused, counted or not.
  const Execution does_not = run_text(tries_empty_slot(3), kUnsaidSlots);
  expect_returns(does_not, 3);
  EXPECT_EQ(does_not, run_text(tries_empty_slot(3)));
}

TEST(ContractWords, AResultOfUnknownWidthHasAllBits) {
  const std::string wide = in_main("r0 = 0x700000001 ll\nexit");
  expect_returns(run_text(wide, Contract{.result_bits = 0}), 0x7'0000'0001);
  expect_returns(run_text(wide, Contract{.result_bits = 32}), 1);
}

}  // namespace
}  // namespace plumb::oracle
