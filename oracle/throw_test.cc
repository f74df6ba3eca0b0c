// SPDX-License-Identifier: GPL-2.0-or-later
//
// bpf_throw: which frames it ends, what goes on in their place, and where it may not stand.
#include <algorithm>

#include "core/capability.h"
#include "core/exceptions.h"
#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

TEST(Throw, WithoutACallbackTheProgramReturnsTheCookie) {
  const Execution execution = run_text(".program p\n.function main\nr1 = 42\ncall bpf_throw\n");
  expect_returns(execution, 42);
  ASSERT_EQ(execution.throws.size(), 1u);
  EXPECT_EQ(execution.throws[0], (Throw{.ended = 1, .callback_stack = 0}));
  ASSERT_EQ(execution.trace.size(), 2u);
  const Event& thrown = execution.trace[0];
  EXPECT_EQ(thrown.kind, EventKind::kThrow);
  EXPECT_EQ(thrown.at, (Place{0, 0, 1}));
  EXPECT_EQ(thrown.activation, 0u);
  EXPECT_EQ(thrown.target, 1);
  EXPECT_EQ(thrown.args[0], Value::scalar(42));
  EXPECT_EQ(execution.trace[1].activation, 1u) << "the callback is an activation of its own";
  EXPECT_EQ(execution.required_capabilities & capability_bit(Capability::kThrow),
            capability_bit(Capability::kThrow));
}

TEST(Throw, EndsAllFramesUpToTheMainFunction) {
  const Execution execution = run_text(R"(
.program p
.callback catch
.function main
        r6 = 1
        call a
        r0 = 7
        exit
.function a
        r6 = 2
        call b
        r0 = 8
        exit
.function b
        r1 = 5
        call bpf_throw
.function catch
.stack 24
        r0 = r1
        r0 += 1
        exit
)");
  expect_returns(execution, 6);
  ASSERT_EQ(execution.throws.size(), 1u);
  EXPECT_EQ(execution.throws[0], (Throw{.ended = 3, .callback_stack = 24}));
  // call, call, throw, exit: nothing returns.
  EXPECT_EQ(execution.trace.size(), 4u);
}

// The main function of the program that was tail-called is the boundary; its callback's result goes
// to the caller of the subprogram, which has its registers.
TEST(Throw, InATailCalleeEndsThere) {
  const Execution execution = run_text(R"(
.array jmp 1
.slot jmp 0 other
.program p
.function main
        r6 = 10
        call sub
        r0 += r6
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        exit
.program other
.function main
        r6 = 3
        call raise
        exit
.function raise
        r1 = 4
        call bpf_throw
)");
  expect_returns(execution, 14);
  ASSERT_EQ(execution.throws.size(), 1u);
  EXPECT_EQ(execution.throws[0].ended, 2);
}

TEST(Throw, NothingOfTheThrownFramesIsLeftToTheCallback) {
  constexpr std::string_view kBegin = R"(
.program p
.callback catch
.function main
        r6 = 1
        *(u64 *)(r10 - 8) = 1
        r1 = 2
        call bpf_throw
.function catch
)";
  const auto reason = [&](std::string_view body) {
    return run_text(std::string(kBegin) + std::string(body)).undefined_reason;
  };
  const std::string uninitialised(reason_phrase(Reason::kUninitialisedRegister));
  EXPECT_EQ(reason("r0 = r6\nexit\n"), uninitialised);
  EXPECT_EQ(reason("r0 = r2\nexit\n"), uninitialised);
  EXPECT_EQ(reason(".stack 8\nr0 = *(u64 *)(r10 - 8)\nexit\n"),
            reason_phrase(Reason::kUninitialisedStack));
  EXPECT_EQ(reason("r0 = r10\nexit\n"), reason_phrase(Reason::kMainReturnsPointer))
      << "it returns in the place of a main function";
  EXPECT_EQ(reason("exit\n"), uninitialised);
}

struct Refused {
  Reason reason;
  std::string_view text;
};

TEST(Throw, StandsAndIsCaughtWhereAVerifierLetsIt) {
  const Refused rows[] = {
      {Reason::kUninitialisedRegister, ".program p\n.function main\nr1 = r9\ncall bpf_throw\n"},
      {Reason::kArgumentNotScalar, ".program p\n.function main\ncall bpf_throw\n"},
      {Reason::kThrowInCallback,
       ".program p\n.function main\nr1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n"
       ".function f\ncall g\nr0 = 0\nexit\n.function g\nr1 = 0\ncall bpf_throw\n"},
      {Reason::kThrowInCallback,
       ".program p\n.callback f\n.function main\nr0 = 0\nexit\n.function f\ncall bpf_throw\n"},
      {Reason::kExceptionCallbackReferenced,
       ".program p\n.callback f\n.function main\nr1 = 0\ncall f\nexit\n.function f\nr0 = "
       "0\nexit\n"},
      {Reason::kExceptionCallbackReferenced,
       ".program p\n.callback f\n.function main\nr1 = f ll\nr0 = 0\nexit\n"
       ".function f\nr0 = 0\nexit\n"},
      {Reason::kTailCallInExceptionCallback,
       ".array jmp 1\n.program p\n.callback f\n.function main\nr0 = 0\nexit\n.function f\n"
       "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n"},
  };
  for (const Refused& row : rows) {
    SCOPED_TRACE(row.text);
    const Execution execution = run_text(row.text);
    EXPECT_FALSE(execution.defined);
    EXPECT_EQ(execution.undefined_reason, reason_phrase(row.reason));
  }
}

// Whoever makes cases owes programs that throw a callback; what forgot it is no case.
TEST(Throw, WithoutAnyCallbackIsUndefined) {
  Case value = case_of(".program p\n.function main\nr1 = 1\ncall bpf_throw\n");
  value.programs[0].functions.pop_back();
  value.programs[0].exception_callback = kNoFunction;
  EXPECT_EQ(run(value, {}).undefined_reason, reason_phrase(Reason::kNoExceptionCallback));
  ASSERT_TRUE(complete_callbacks(value));
  expect_returns(run(value, {}), 1);
}

// The callback is no callee of anybody: its chain of frames and its stack count anew.
TEST(Throw, ACallbackHasAllTheStackThereMayBe) {
  const Execution execution = run_text(R"(
.program p
.callback catch
.function main
.stack 512
        r1 = 3
        call bpf_throw
.function catch
.stack 512
        r0 = r1
        exit
)");
  expect_returns(execution, 3);
}

}  // namespace
}  // namespace plumb::oracle
