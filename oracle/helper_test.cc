// SPDX-License-Identifier: GPL-2.0-or-later
//
// Helpers: what the model is given, what comes back, and bpf_loop, which the oracle itself plays.
#include <fmt/core.h>

#include "core/helper_model.h"
#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

std::uint64_t model(std::int32_t number, std::uint64_t ordinal,
                    std::array<std::uint64_t, 5> scalars = {}) {
  HelperCall call;
  call.number = number;
  call.ordinal = ordinal;
  call.scalars = scalars;
  return run_helper(call);
}

TEST(Helpers, TheOrdinalCountsAllHelpersOfTheInvocation) {
  const Execution e = run_text(R"(
.array jmp 1
.region out 32
.program p
.function main
        r6 = out ll
        r7 = r1
        call 7
        *(u64 *)(r6 + 0) = r0
        r1 = r7
        r2 = jmp ll
        r3 = 0
        call 12
        r1 = r6
        call sub
        call 5
        *(u64 *)(r6 + 16) = r0
        r0 = 0
        exit
.function sub
        r6 = r1
        r1 = 1
        r2 = body ll
        r3 = 0
        r4 = 0
        call 181
        call 7
        *(u64 *)(r6 + 8) = r0
        r0 = 0
        exit
.function body
        r0 = 0
        exit
)");
  expect_returns(e, 0);
  const auto word = [&](std::size_t offset) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      value |= std::uint64_t{e.regions[0].bytes[offset + i]} << (8 * i);
    }
    return value;
  };
  EXPECT_EQ(word(0), model(7, 0));
  // The refused tail call does not count, the loop does.
  EXPECT_EQ(word(8), model(7, 2));
  EXPECT_EQ(word(16), model(5, 3));
}

TEST(Helpers, ScalarsAndBytesReachTheModel) {
  const Execution e = run_text(in_main(R"(
        *(u64 *)(r10 - 8) = 0x11223344
        r2 = small + 4 ll
        *(u8 *)(r2 + 3) = 9
        r3 = r2
        r1 = r10
        r1 += -6
        r2 = 5
        r4 = 4
        r5 = 77
        call 28
        exit)"));
  ASSERT_TRUE(e.defined) << e.undefined_reason;
  constexpr std::array<std::uint8_t, 5> kFirst = {0x22, 0x11, 0, 0, 0};
  constexpr std::array<std::uint8_t, 4> kSecond = {0, 0, 0, 9};
  HelperCall call;
  call.number = 28;
  call.scalars = {0, 5, 0, 4, 77};
  call.read[0] = kFirst;
  call.read[1] = kSecond;
  EXPECT_EQ(e.result.bits, run_helper(call));
}

TEST(Helpers, WrittenBytesAreInitialisedAndTheRestIsNot) {
  constexpr std::string_view kBody = R"(.stack 32
        r1 = r10
        r1 += -20
        r2 = 7
        call 16
        r0 = *(u8 *)(r10 - {})
        exit)";
  HelperCall call;
  std::array<std::uint8_t, 7> bytes{};
  call.number = 16;
  call.scalars = {0, 7, 0, 0, 0};
  call.write = bytes;
  EXPECT_EQ(run_helper(call), 0u);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    expect_returns(run_text(in_main(fmt::format(kBody, 20 - i))), bytes[i]);
  }
  for (const int outside : {21, 13}) {
    const Execution e = run_text(in_main(fmt::format(kBody, outside)));
    EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kUninitialisedStack));
  }
}

TEST(Helpers, AWriteOverPartOfASpillTearsIt) {
  constexpr std::string_view kBody = R"(.stack 16
        *(u64 *)(r10 - 8) = r1
        *(u64 *)(r10 - 16) = r1
        r1 = r10
        r1 += -12
        r2 = 8
        call 16
        r0 = *(u8 *)(r10 - {})
        exit)";
  for (const int torn : {1, 4, 13, 16}) {
    const Execution e = run_text(in_main(fmt::format(kBody, torn)));
    EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kUninitialisedStack)) << torn;
  }
  for (const int written : {5, 8, 9, 12}) {
    EXPECT_TRUE(run_text(in_main(fmt::format(kBody, written))).defined) << written;
  }
}

TEST(Helpers, ArgumentsBeyondTheirArityAreIgnored) {
  const Execution e = run_text(in_main("r2 = r10\nr5 = jmp ll\ncall 7\nexit"));
  expect_returns(e, model(7, 0));
  EXPECT_EQ(e.trace[0].args, (std::array<Value, 5>{}));
}

// Adds the index to a word of the caller's frame and stops where told.
std::string loop(std::string_view iterations, int stop_at) {
  return fmt::format(R"(
.program p
.function main
        *(u64 *)(r10 - 8) = 0
        r6 = 1
        r7 = 2
        r1 = {} ll
        r2 = body ll
        r3 = r10
        r3 += -8
        r4 = 0
        call 181
        r1 = *(u64 *)(r10 - 8)
        r1 <<= 32
        r0 |= r1
        r0 += r6
        r0 += r7
        exit
.function body
        r6 = *(u64 *)(r2 + 0)
        r6 += r1
        *(u64 *)(r2 + 0) = r6
        r7 = 0
        r0 = 0
        if r1 != {} goto out
        r0 = 1
out:
        exit
)",
                     iterations, stop_at);
}

TEST(Loop, RunsItsCallbackForEveryIndex) {
  expect_returns(run_text(loop("0", -1)), 0 + 3);
  expect_returns(run_text(loop("1", -1)), 1 + 3);
  expect_returns(run_text(loop("5", -1)), (std::uint64_t{10} << 32 | 5) + 3);
}

TEST(Loop, StopsWhenItsCallbackSaysSo) {
  expect_returns(run_text(loop("5", 0)), 1 + 3);
  expect_returns(run_text(loop("5", 2)), (std::uint64_t{3} << 32 | 3) + 3);
  expect_returns(run_text(loop("5", 4)), (std::uint64_t{10} << 32 | 5) + 3);
}

TEST(Loop, CountsIn32Bits) {
  expect_returns(run_text(loop("0x700000002", -1)), (std::uint64_t{1} << 32 | 2) + 3);
}

TEST(Loop, RefusesTooManyIterations) {
  expect_returns(run_text(loop("8388609", -1)), kLoopTooBig + 3);
  expect_returns(run_text(loop("0xffffffff", -1)), kLoopTooBig + 3);
  EXPECT_EQ(run_text(loop("8388608", -1)).undefined_reason, reason_phrase(Reason::kOutOfFuel));
}

// Before the count is looked at, and without a call.
TEST(Loop, RefusesFlags) {
  const auto with_flags = [](std::string_view count, std::string_view flags) {
    return fmt::format(
        ".program entry\n.function main\nr1 = {} ll\nr2 = body ll\nr3 = 0\nr4 = {} ll\n"
        "call 181\nexit\n.function body\nr0 = 0\nexit\n",
        count, flags);
  };
  const Execution refused = run_text(with_flags("2", "1"));
  expect_returns(refused, kLoopBadFlags);
  EXPECT_EQ(refused.activations, 1u);
  expect_returns(run_text(with_flags("2", "0x100000000")), kLoopBadFlags);
  expect_returns(run_text(with_flags("0", "1")), kLoopBadFlags);
  expect_returns(run_text(with_flags("8388609", "1")), kLoopBadFlags);
  expect_returns(run_text(with_flags("2", "0")), 2);
}

TEST(Loop, Nests) {
  const Execution e = run_text(R"(
.region sum 8
.program p
.function main
        r1 = 3
        r2 = outer ll
        r3 = 0
        r4 = 0
        call 181
        r1 = sum ll
        r1 = *(u64 *)(r1 + 0)
        r0 <<= 8
        r0 |= r1
        exit
.function outer
        r6 = r1
        r2 = inner ll
        r3 = r6
        r4 = 0
        call 181
        r0 = 0
        exit
.function inner
        r3 = sum ll
        r2 += 1
        lock *(u64 *)(r3 + 0) += r2
        r0 = 0
        exit
)");
  // 0 * 1 + 1 * 2 + 2 * 3
  expect_returns(e, 3 << 8 | 8);
  EXPECT_EQ(e.activations, 1u + 3u + 3u);
}

}  // namespace
}  // namespace plumb::oracle
