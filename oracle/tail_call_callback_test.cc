// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tail calls in functions that a helper calls back, and in what these call.
#include <fmt/core.h>

#include <algorithm>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

int count(const Execution& execution, RefusalReason reason) {
  return static_cast<int>(std::ranges::count(execution.trace, reason, &Event::reason));
}

// bpf_loop() calls back `iterations` times; the callback, or what it calls, goes on in the program
// `target`. The result: what bpf_loop() returned, and above it how many runs target counted.
std::string in_callback(int iterations, bool in_callee, std::string_view target) {
  const std::string_view tail_call = "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n";
  return fmt::format(R"(
.array jmp 2
.slot jmp 0 target
.region runs 8
.program entry
.function main
        r6 = 77
        *(u64 *)(r10 - 8) = r1
        r1 = {}
        r2 = body ll
        r3 = r10
        r3 += -8
        r4 = 0
        call 181
        r1 = runs ll
        r1 = *(u64 *)(r1 + 0)
        r1 <<= 32
        r0 |= r1
        if r6 == 77 goto out
        r0 = 0
out:
        exit
.function body
        r6 = 1
        r1 = *(u64 *)(r2 + 0)
        {}
.function sub
        {}
.program target
.function main
        r2 = runs ll
        r3 = *(u64 *)(r2 + 0)
        r3 += 1
        *(u64 *)(r2 + 0) = r3
        {}
)",
                     iterations, in_callee ? "call sub\nexit\n" : tail_call, tail_call, target);
}

constexpr std::uint64_t runs(std::uint64_t count) { return count << 32; }

TEST(TailCallsInCallbacks, TheTargetReturnsToTheHelper) {
  for (const bool in_callee : {false, true}) {
    SCOPED_TRACE(in_callee);
    const Execution goes_on = run_text(in_callback(5, in_callee, "r0 = 0\nexit\n"));
    expect_returns(goes_on, runs(5) | 5);
    EXPECT_EQ(goes_on.tail_calls, 5u);
    // The target's activation replaces the callback's, or that of what it called.
    EXPECT_EQ(goes_on.activations, 1u + (in_callee ? 3u : 2u) * 5);
    expect_returns(run_text(in_callback(5, in_callee, "r0 = 1\nexit\n")), runs(1) | 1);
  }
}

// A callback itself returns 0 or 1; of a program nobody asks that, and bpf_loop() compares 64 bits.
TEST(TailCallsInCallbacks, AnythingButZeroStops) {
  for (const std::string_view result : {"2", "-1", "0x100000000"}) {
    const std::string target = fmt::format("r0 = {} ll\nexit\n", result);
    expect_returns(run_text(in_callback(5, false, target)), runs(1) | 1);
  }
  const Execution through_callee = run_text(in_callback(5, true, "r0 = 2\nexit\n"));
  EXPECT_EQ(through_callee.undefined_reason, reason_phrase(Reason::kCallbackResult));
}

// One count for the invocation: 33 are taken over all callbacks together.
TEST(TailCallsInCallbacks, ShareTheCountOfTheInvocation) {
  for (const bool in_callee : {false, true}) {
    const Execution e = run_text(in_callback(40, in_callee, "r0 = 0\nexit\n"));
    expect_returns(e, runs(33) | 40);
    EXPECT_EQ(e.tail_calls, 33u);
    EXPECT_EQ(count(e, RefusalReason::kLimitReached), 7);
  }
}

TEST(TailCallsInCallbacks, AreRefusedWhereTheVerifierRefusesThem) {
  const std::string text = in_callback(5, true, "r0 = 0\nexit\n");
  const Execution e = run_text(text, {.tail_call_in_callback = false});
  EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kTailCallInCallback));
  EXPECT_EQ(e.undefined_detail, "entry.sub at slot 3: call 12");
  EXPECT_FALSE(e.blind_spot);
}

}  // namespace
}  // namespace plumb::oracle
