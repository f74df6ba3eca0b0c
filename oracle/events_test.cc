// SPDX-License-Identifier: GPL-2.0-or-later
//
// The trace as golden text.
#include <fmt/core.h>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

std::string text_of(const Value& value) {
  if (value.is_scalar()) return fmt::format("{}", value.bits);
  if (!value.is_pointer()) return "-";
  constexpr std::string_view kSpaces[] = {"context", "region", "stack", "array", "function"};
  return fmt::format("{}{}{:+}", kSpaces[static_cast<std::size_t>(value.space)], value.index,
                     value.offset());
}

// "a1 call p0.f1@3 -> 2 (context0+0 - - - -)": activation, kind, place, target, arguments, result.
std::string text_of(const Event& event) {
  std::string line = fmt::format("a{} {} p{}.f{}@{}", event.activation, event_kind_name(event.kind),
                                 event.at.program, event.at.function, event.at.slot);
  if (event.target != 0) line += fmt::format(" -> {}", event.target);
  if (event.reason != RefusalReason::kNone) {
    line += fmt::format(" because {}", refusal_reason_name(event.reason));
  }
  if (event.args != std::array<Value, 5>{}) {
    line += " (";
    for (std::size_t i = 0; i < event.args.size(); ++i) {
      line += (i == 0 ? "" : " ") + text_of(event.args[i]);
    }
    line += ")";
  }
  if (event.kind == EventKind::kReturn || event.kind == EventKind::kExit) {
    line += " = " + text_of(event.result);
  }
  return line + "\n";
}

std::string trace_of(const Execution& execution) {
  std::string text;
  for (const Event& event : execution.trace) text += text_of(event);
  return text;
}

// The example of the design document: both subprograms tail-call the program again.
constexpr std::string_view kHierarchy = R"(
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        call first
        r1 = r6
        call second
        r0 = 7
        exit
.function first
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 0
        exit
.function second
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 0
        exit
.context 00 00 00 00 00 00 00 00
)";

TEST(Events, OneCountForTheWholeCallTree) {
  const Execution e = run_text(kHierarchy);
  expect_returns(e, 7);
  EXPECT_EQ(e.tail_calls, 33u);
  int taken = 0;
  int refused = 0;
  for (const Event& event : e.trace) {
    taken += event.kind == EventKind::kTailCallTaken;
    if (event.kind != EventKind::kTailCallRefused) continue;
    ++refused;
    EXPECT_EQ(event.reason, RefusalReason::kLimitReached);
  }
  EXPECT_EQ(taken, 33);
  // 34 runs of main make 68 calls, 33 of which end in a taken tail call.
  EXPECT_EQ(refused, 68 - 33);
  EXPECT_EQ(e.activations, 1u + 68u + 33u);
  EXPECT_EQ(e.activation_function.size(), e.activations);
  EXPECT_EQ(e.trace.back().kind, EventKind::kExit);
  EXPECT_EQ(e.trace.back().activation, 0u);
}

TEST(Events, CallsAndReturns) {
  const Execution e = run_text(R"(
.region data 8
.program p
.function main
        r6 = r1
        r2 = 5
        r3 = r10
        r3 += -8
        r4 = data + 4 ll
        call sub
        r0 += 1
        exit
.function sub
.stack 16
        call leaf
        r0 = 41
        exit
.function leaf
        exit
)");
  expect_returns(e, 42);
  EXPECT_EQ(trace_of(e),
            "a0 call p0.f0@6 -> 1 (context0+0 5 stack0-8 region0+4 -)\n"
            "a1 call p0.f1@0 -> 2 (context0+0 5 stack0-8 region0+4 -)\n"
            "a1 return p0.f1@0 = -\n"
            "a0 return p0.f0@6 = 41\n"
            "a0 exit p0.f0@8 = 42\n");
  EXPECT_EQ(e.activation_function, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(e.instructions, 6u + 3u + 1u + 2u);
}

// What a subprogram's tail call returns goes to the subprogram's caller, at the call's place.
TEST(Events, TailCallInASubprogramReturnsToItsCaller) {
  const Execution e = run_text(R"(
.array jmp 1
.slot jmp 0 other
.program entry
.function main
        r9 = 100
        call sub
        r0 += r9
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 1
        exit
.program other
.function main
        r9 = 0
        call leaf
        r0 = 23
        exit
.function leaf
        exit
)");
  expect_returns(e, 123);
  EXPECT_EQ(trace_of(e),
            "a0 call p0.f0@1 -> 1 (context0+0 - - - -)\n"
            "a1 tail call taken p0.f1@3 -> 1\n"
            "a2 call p1.f0@1 -> 1 (context0+0 - - - -)\n"
            "a2 return p1.f0@1 = -\n"
            "a0 return p0.f0@1 = 23\n"
            "a0 exit p0.f0@3 = 123\n");
  EXPECT_EQ(e.activation_function,
            (std::vector<std::uint32_t>{0, 1, kMaxFunctions, kMaxFunctions + 1}));
  EXPECT_EQ(e.tail_calls, 1u);
}

TEST(Events, RefusedTailCallsSayWhy) {
  const Execution e = run_text(R"(
.array jmp 2
.program entry
.function main
        r6 = r1
        r2 = jmp ll
        r3 = 2
        call 12
        r1 = r6
        r2 = jmp ll
        r3 = 1
        call 12
        r0 = 3
        exit
)");
  expect_returns(e, 3);
  EXPECT_EQ(trace_of(e),
            "a0 tail call refused p0.f0@4 because index out of range\n"
            "a0 tail call refused p0.f0@9 because empty slot\n"
            "a0 exit p0.f0@11 = 3\n");
}

TEST(Events, HelpersShowTheArgumentsThatTheyHave) {
  const Execution e = run_text(R"(
.program p
.function main
        r5 = 9
        r4 = 4
        r2 = r10
        r2 += -16
        r3 = r2
        r2 = 1
        call 26
        exit
)");
  expect_returns(e, 0);
  EXPECT_EQ(trace_of(e),
            "a0 helper call p0.f0@6 -> 26 (context0+0 1 stack0-16 4 -)\n"
            "a0 exit p0.f0@7 = 0\n");
}

TEST(Events, EveryLoopBodyIsAnActivation) {
  const Execution e = run_text(R"(
.program p
.function main
        *(u64 *)(r10 - 8) = 0
        r1 = 5
        r2 = body ll
        r3 = r10
        r3 += -8
        r4 = 0
        call 181
        r1 = *(u64 *)(r10 - 8)
        r0 <<= 8
        r0 |= r1
        exit
.function body
        r3 = *(u64 *)(r2 + 0)
        r3 += 10
        *(u64 *)(r2 + 0) = r3
        r0 = 0
        if r1 != 1 goto out
        r0 = 1
out:
        exit
)");
  expect_returns(e, (2 << 8) | 20);
  EXPECT_EQ(trace_of(e),
            "a0 helper call p0.f0@7 -> 181 (5 function1+0 stack0-8 0 -)\n"
            "a0 callback p0.f0@7 -> 1 (0 stack0-8 - - -)\n"
            "a0 return p0.f0@7 = 0\n"
            "a0 callback p0.f0@7 -> 1 (1 stack0-8 - - -)\n"
            "a0 return p0.f0@7 = 1\n"
            "a0 exit p0.f0@11 = 532\n");
  EXPECT_EQ(e.activation_function, (std::vector<std::uint32_t>{0, 1, 1}));
}

TEST(Events, AnUndefinedRunKeepsItsTraceAndSaysWhere) {
  const Execution e = run_text(R"(
.program p
.function main
        call sub
        r0 = r1
        exit
.function sub
        exit
)");
  EXPECT_FALSE(e.defined);
  EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kUninitialisedRegister));
  EXPECT_EQ(e.undefined_at, (Place{0, 0, 1}));
  EXPECT_EQ(trace_of(e),
            "a0 call p0.f0@0 -> 1 (context0+0 - - - -)\n"
            "a0 return p0.f0@0 = -\n");
}

}  // namespace
}  // namespace plumb::oracle
