// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tail calls: the limit, the order of the checks, where the target returns to, what survives.
#include <fmt/core.h>

#include <algorithm>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

constexpr Contract kConsuming{.empty_slot_consumes_count = Tristate::kYes};

int count(const Execution& execution, RefusalReason reason) {
  return static_cast<int>(std::ranges::count(execution.trace, reason, &Event::reason));
}

// Counts its runs in a region and tail-calls itself for ever.
constexpr std::string_view kSelf = R"(
.array jmp 2
.slot jmp 0 p
.region runs 8
.program p
.function main
        r2 = runs ll
        r3 = *(u64 *)(r2 + 0)
        r3 += 1
        *(u64 *)(r2 + 0) = r3
        r2 = jmp ll
        r3 = 0
        call 12
        r1 = runs ll
        r0 = *(u64 *)(r1 + 0)
        exit
)";

TEST(TailCalls, ThirtyThreeAreTaken) {
  const Execution e = run_text(kSelf);
  expect_returns(e, 34);
  EXPECT_EQ(e.tail_calls, 33u);
  EXPECT_EQ(e.activations, 34u);
  EXPECT_EQ(count(e, RefusalReason::kLimitReached), 1);
}

// first attempts at an empty slot, then tail calls of itself until one is refused.
std::string empties_first(int attempts) {
  return fmt::format(R"(
.array jmp 2
.slot jmp 0 p
.program entry
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
        r3 = 0
        call 12
        r0 = 1
        exit
.program p
.function main
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 2
        exit
)",
                     attempts);
}

TEST(TailCalls, AnEmptySlotCountsOnlyUnderAContractThatSaysSo) {
  for (const int attempts : {1, 5, 32, 33, 40}) {
    SCOPED_TRACE(attempts);
    const Execution free = run_text(empties_first(attempts));
    expect_returns(free, 2);
    EXPECT_EQ(free.tail_calls, 33u);
    EXPECT_EQ(count(free, RefusalReason::kEmptySlot), attempts);
    EXPECT_EQ(count(free, RefusalReason::kLimitReached), 1);

    const Execution consuming = run_text(empties_first(attempts), kConsuming);
    const int counted = std::min(attempts, 33);
    expect_returns(consuming, attempts < 33 ? 2 : 1);
    EXPECT_EQ(consuming.tail_calls, static_cast<std::uint32_t>(33 - counted));
    EXPECT_EQ(count(consuming, RefusalReason::kEmptySlot), counted);
    EXPECT_EQ(count(consuming, RefusalReason::kLimitReached), attempts - counted + 1);
  }
}

// riscv64: a function that calls anything keeps the count where a refused attempt cannot reach it.
TEST(TailCalls, AnEmptySlotCountsNothingWhereCallsKeepTheCount) {
  constexpr Contract kKept{.empty_slot_consumes_count = Tristate::kYes, .calls_keep_count = true};
  EXPECT_EQ(run_text(empties_first(5), kKept).tail_calls, 28u);

  std::string calling = empties_first(5);
  calling.replace(calling.find("again:"), 6, "call 5\nagain:");
  EXPECT_EQ(run_text(calling, kKept).tail_calls, 33u);
  EXPECT_EQ(run_text(calling, kConsuming).tail_calls, 28u);
}

// Bounds before limit, limit before slot: seen where two reasons hold at once.
TEST(TailCalls, TheIndexIsCheckedFirstAndTheSlotLast) {
  constexpr std::string_view kText = R"(
.array jmp 2
.slot jmp 0 p
.program p
.function main
        r6 = r1
        r2 = jmp ll
        r3 = 0
        call 12
        r1 = r6
        r2 = jmp ll
        r3 = 1
        call 12
        r1 = r6
        r2 = jmp ll
        r3 = 2
        call 12
        r0 = 0
        exit
)";
  const Execution e = run_text(kText);
  ASSERT_TRUE(e.defined);
  ASSERT_EQ(e.trace.size(), 33u + 3u + 1u);
  EXPECT_EQ(e.trace[33].reason, RefusalReason::kLimitReached);
  EXPECT_EQ(e.trace[34].reason, RefusalReason::kLimitReached);
  EXPECT_EQ(e.trace[35].reason, RefusalReason::kIndexOutOfRange);
}

TEST(TailCalls, TheIndexIsTheLowHalfUnsigned) {
  struct Row {
    std::uint64_t index;
    RefusalReason reason;  // kNone: taken
  };
  constexpr Row kRows[] = {
      {0, RefusalReason::kNone},
      {0x500000000, RefusalReason::kNone},
      {0xffffffff00000000, RefusalReason::kNone},
      {1, RefusalReason::kEmptySlot},
      {2, RefusalReason::kIndexOutOfRange},
      {0x80000000, RefusalReason::kIndexOutOfRange},
      {0xffffffff, RefusalReason::kIndexOutOfRange},
      {0xffffffffffffffff, RefusalReason::kIndexOutOfRange},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.index);
    const Execution e = run_text(fmt::format(
        ".array jmp 2\n.slot jmp 0 q\n.program p\n.function main\nr2 = jmp ll\nr3 = {:#x} ll\n"
        "call 12\nr0 = 1\nexit\n.program q\n.function main\nr0 = 2\nexit\n",
        row.index));
    expect_returns(e, row.reason == RefusalReason::kNone ? 2 : 1);
    EXPECT_EQ(e.trace[0].reason, row.reason);
  }
}

TEST(TailCalls, AnOutOfRangeIndexNeverCounts) {
  std::string text = empties_first(40);
  text.replace(text.find("r3 = 1"), 6, "r3 = 7");
  const Execution e = run_text(text, kConsuming);
  expect_returns(e, 2);
  EXPECT_EQ(e.tail_calls, 33u);
  EXPECT_EQ(count(e, RefusalReason::kIndexOutOfRange), 40);
}

TEST(TailCalls, ARefusalChangesNothingButTheScratchRegisters) {
  expect_returns(run_text(R"(
.array jmp 1
.program p
.function main
        *(u64 *)(r10 - 8) = 1
        r6 = 2
        r7 = 4
        r8 = 8
        r9 = 16
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = *(u64 *)(r10 - 8)
        r0 += r6
        r0 += r7
        r0 += r8
        r0 += r9
        exit
)"),
                 31);
}

TEST(TailCalls, AChainOfProgramsReturnsTheLastOnesResult) {
  const Execution e = run_text(R"(
.array jmp 3
.slot jmp 1 second
.slot jmp 2 third
.program first
.function main
        r2 = jmp ll
        r3 = 1
        call 12
        r0 = 1
        exit
.program second
.function main
        *(u64 *)(r10 - 8) = 2
        r2 = jmp ll
        r3 = 2
        call 12
        r0 = 2
        exit
.program third
.function main
        r0 = *(u8 *)(r1 + 1)
        exit
.context 05 06
)");
  expect_returns(e, 6);
  EXPECT_EQ(e.tail_calls, 2u);
  EXPECT_EQ(e.trace.back().activation, 2u);
  EXPECT_EQ(e.trace.back().at, (Place{2, 0, 1}));
}

// Every level tail-calls from two subprograms deep; the frames of all callers stay alive and whole.
TEST(TailCalls, CallersKeepTheirFramesAndRegisters) {
  const Execution e = run_text(R"(
.array jmp 1
.slot jmp 0 p
.region level 8
.program p
.function main
        r2 = level ll
        r6 = *(u64 *)(r2 + 0)
        *(u64 *)(r10 - 8) = r6
        r3 = r6
        r3 += 1
        *(u64 *)(r2 + 0) = r3
        r2 = r10
        r2 += -8
        call outer
        r1 = *(u64 *)(r10 - 8)
        r1 -= r6
        r0 += r1
        exit
.function outer
        r7 = *(u64 *)(r2 + 0)
        *(u64 *)(r10 - 16) = r7
        r6 = r2
        call inner
        r1 = *(u64 *)(r10 - 16)
        r1 -= r7
        r0 += r1
        r2 = *(u64 *)(r6 + 0)
        r2 += 1000
        *(u64 *)(r6 + 0) = r2
        exit
.function inner
        *(u64 *)(r10 - 24) = -1
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 5
        exit
)");
  // Each of the 34 levels adds 1000 to its own slot after its subprogram came back.
  expect_returns(e, 34 * 1000 + 5);
  EXPECT_EQ(e.tail_calls, 33u);
  EXPECT_EQ(e.activations, 34u + 34u + 34u);
}

// Inner main functions return 64 bits to BPF code, whatever the kernel sees of the last one.
TEST(TailCalls, ResultBitsConcernTheKernelOnly) {
  constexpr std::string_view kText = R"(
.array jmp 1
.slot jmp 0 other
.program entry
.function main
        call sub
        r0 += 1
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 0
        exit
.program other
.function main
        r0 = 0xabcd0000ffffffff ll
        exit
)";
  expect_returns(run_text(kText), 0xabcd000100000000);
  const Execution e = run_text(kText, {.result_bits = 32});
  expect_returns(e, 0);
  EXPECT_EQ(e.trace.back().result, Value::scalar(0));
  EXPECT_EQ(e.trace[e.trace.size() - 2].result, Value::scalar(0xabcd0000ffffffff));
}

TEST(TailCalls, TheTargetStartsWithTheContextAlone) {
  constexpr std::string_view kFormat = R"(
.array jmp 1
.slot jmp 0 other
.program entry
.function main
        *(u64 *)(r10 - 8) = 1
        r0 = 1
        r4 = 1
        r5 = 1
        r6 = 1
        r9 = 1
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 0
        exit
.program other
.function main
.stack 8
        {}
        r0 = 7
        exit
.context 00
)";
  for (const char* read :
       {"r6 = r0", "r0 = r2", "r0 = r3", "r0 = r4", "r0 = r5", "r0 = r6", "r0 = r9"}) {
    const Execution e = run_text(fmt::format(kFormat, read));
    EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kUninitialisedRegister)) << read;
  }
  const Execution stack = run_text(fmt::format(kFormat, "r0 = *(u64 *)(r10 - 8)"));
  EXPECT_EQ(stack.undefined_reason, reason_phrase(Reason::kUninitialisedStack));
  expect_returns(run_text(fmt::format(kFormat, "r0 = *(u8 *)(r1 + 0)")), 7);
}

}  // namespace
}  // namespace plumb::oracle
