// SPDX-License-Identifier: GPL-2.0-or-later
//
// Structural rules: each is broken, in text where the parser lets it through and in instructions
// where it does not; run() says the same as validate(). Beside them, cases that just hold.
#include "oracle/validate.h"

#include <fmt/core.h>

#include <set>
#include <utility>
#include <vector>

#include "core/exceptions.h"
#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

// A case that breaks one rule.
struct Broken {
  Reason reason;
  Case value;
  Place at;
  Contract contract = {};
};

void expect_sound(const Case& value, const Contract& contract = {}) {
  const std::optional<Defect> defect = validate(value, contract);
  EXPECT_FALSE(defect.has_value()) << defect->reason;
}

// A case of one function.
Case one_function(std::vector<Insn> insns) {
  Case value;
  value.programs.push_back({"p", {{"main", std::move(insns), 0}}});
  value.arrays.push_back({"jmp", {kNoProgram}});
  value.regions.push_back({"box", std::vector<std::uint8_t>(8)});
  return value;
}

const Insn kExitInsn = make_insn(Opcode::kExit);
const Insn kZero = make_insn(Opcode::kMov64Imm);

// What the parser refuses already.
std::vector<Broken> broken_code() {
  struct Row {
    Reason reason;
    std::vector<Insn> insns;
    std::int32_t slot;
  };
  const Insn wide = make_insn(Opcode::kLoadImm64, 1);
  const Row rows[] = {
      {Reason::kEmptyFunction, {}, 0},
      {Reason::kUnknownInstruction, {kZero, {.opcode = 0xff}, kExitInsn}, 1},
      {Reason::kUnknownInstruction, {{.opcode = 0}, kExitInsn}, 0},
      {Reason::kRegisterOutOfRange, {make_insn(Opcode::kMov64Imm, 11), kExitInsn}, 0},
      {Reason::kRegisterOutOfRange, {make_insn(Opcode::kMov64Reg, 0, 12), kExitInsn}, 0},
      {Reason::kFramePointerWritten, {make_insn(Opcode::kAdd64Imm, 10), kExitInsn}, 0},
      {Reason::kFramePointerWritten, {make_insn(Opcode::kLoad64, 10, 1), kExitInsn}, 0},
      {Reason::kFramePointerWritten, {kZero, make_insn(Opcode::kXchg64, 1, 10), kExitInsn}, 1},
      {Reason::kFramePointerWritten, {make_insn(Opcode::kLoadImm64, 10), Insn{}, kExitInsn}, 0},
      {Reason::kHalfWideLoad, {kZero, wide}, 1},
      {Reason::kHalfWideLoad, {wide, kExitInsn}, 0},
      {Reason::kJumpOutside, {make_insn(Opcode::kJa, 0, 0, 1), kExitInsn}, 0},
      {Reason::kJumpOutside, {make_insn(Opcode::kJa, 0, 0, -2), kExitInsn}, 0},
      {Reason::kJumpOutside, {make_insn(Opcode::kJal, 0, 0, 0, INT32_MAX), kExitInsn}, 0},
      {Reason::kJumpOutside, {make_insn(Opcode::kJeq64Imm, 1, 0, 100), kExitInsn}, 0},
      {Reason::kJumpIntoWideLoad, {make_insn(Opcode::kJa, 0, 0, 1), wide, Insn{}, kExitInsn}, 0},
      {Reason::kFallsThrough, {kExitInsn, kZero}, 1},
      {Reason::kFallsThrough, {kExitInsn, wide, Insn{}}, 2},
      {Reason::kFallsThrough, {make_insn(Opcode::kJeq64Imm, 1, 0, -1)}, 0},
      {Reason::kNoSuchFunction, {make_insn(Opcode::kCallFunction, 0, 0, 0, 1), kExitInsn}, 0},
      {Reason::kNoSuchFunction, {make_insn(Opcode::kCallFunction, 0, 0, 0, -1), kExitInsn}, 0},
      {Reason::kNoSuchFunction,
       {make_insn(Opcode::kLoadFunction, 1, 0, 0, 1), Insn{}, kExitInsn},
       0},
      {Reason::kMainFunctionReferenced,
       {make_insn(Opcode::kCallFunction, 0, 0, 0, 0), kExitInsn},
       0},
      {Reason::kMainFunctionReferenced,
       {make_insn(Opcode::kLoadFunction, 1, 0, 0, 0), Insn{}, kExitInsn},
       0},
      {Reason::kNoSuchHelper, {make_insn(Opcode::kCallHelper, 0, 0, 0, 4095), kExitInsn}, 0},
      {Reason::kNoSuchArray, {make_insn(Opcode::kLoadArray, 1, 0, 0, 1), Insn{}, kExitInsn}, 0},
      {Reason::kNoSuchRegion, {make_insn(Opcode::kLoadRegion, 1, 0, 0, -1), Insn{}, kExitInsn}, 0},
      {Reason::kRegionOffset, {make_insn(Opcode::kLoadRegion, 1), {.immediate = 8}, kExitInsn}, 0},
      {Reason::kRegionOffset, {make_insn(Opcode::kLoadRegion, 1), {.immediate = -1}, kExitInsn}, 0},
      // Through R10 itself, even where nothing comes to it.
      {Reason::kOutsideFrame, {kExitInsn, make_insn(Opcode::kStoreImm8, 10), kExitInsn}, 1},
      {Reason::kOutsideFrame, {make_insn(Opcode::kLoad64, 0, 10, -7), kExitInsn}, 0},
      {Reason::kOutsideFrame, {make_insn(Opcode::kLoad64, 0, 10, -520), kExitInsn}, 0},
  };
  std::vector<Broken> broken;
  for (const Row& row : rows) {
    broken.push_back({row.reason, one_function(row.insns), {0, 0, row.slot}});
  }
  return broken;
}

// References to programs, from outside the code.
std::vector<Broken> broken_programs() {
  const Case sound = one_function({kZero, kExitInsn});
  std::vector<Case> cases(4, sound);
  cases[0].arrays[0].slots[0] = 1;
  cases[1].arrays[0].slots[0] = -2;
  cases[2].enter = 1;
  cases[3].programs.push_back({"empty", {}});
  cases.emplace_back();
  std::vector<Broken> broken;
  for (Case& value : cases) broken.push_back({Reason::kNoSuchProgram, std::move(value), {}});
  return broken;
}

// main -> f1 -> ... -> f(n - 1), each with so many bytes of stack.
std::string chain(int frames, int stack, std::string_view last = "") {
  std::string text = ".array jmp 1\n.program p\n";
  for (int i = 0; i < frames; ++i) {
    text +=
        fmt::format(".function {}\n.stack {}\n", i == 0 ? "main" : fmt::format("f{}", i), stack);
    if (i + 1 < frames) text += fmt::format("call f{}\n", i + 1);
    if (i + 1 == frames) text += last;
    text += "r0 = 0\nexit\n";
  }
  return text;
}

constexpr std::string_view kTailCallCode = "r2 = jmp ll\nr3 = 0\ncall 12\n";

// main calls first and second, of so many bytes each, and both call leaf: 96 + 200 and what lies
// between have to fit, whichever way is found first.
std::string two_ways(int first, int second) {
  return fmt::format(
      ".program p\n.function main\n.stack 96\ncall first\ncall second\nr0 = 0\nexit\n"
      ".function leaf\n.stack 200\nexit\n.function first\n.stack {}\ncall leaf\nexit\n"
      ".function second\n.stack {}\ncall leaf\nexit\n",
      first, second);
}

// main calls leaf by a way of three frames, and by one of so many.
std::string short_and_long_way(bool short_first, int frames) {
  std::string text = ".program p\n.function main\n";
  text += short_first ? "call near\ncall f1\n" : "call f1\ncall near\n";
  text += "r0 = 0\nexit\n.function leaf\nexit\n.function near\ncall leaf\nexit\n";
  for (int i = 1; i + 1 < frames; ++i) {
    text += fmt::format(".function f{}\ncall {}\nexit\n", i,
                        i + 2 < frames ? fmt::format("f{}", i + 1) : "leaf");
  }
  return text;
}

// main calls f back; g holds a tail call.
std::string with_callback(std::string_view callback_body) {
  return ".array jmp 1\n.program p\n.function main\nr1 = 0\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\n"
         "r0 = 0\nexit\n.function f\n" +
         std::string(callback_body) +
         "r0 = 0\nexit\n.function g\nr2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n";
}

constexpr Contract kNoTailCallInCallback{.tail_call_in_callback = false};

// Text that parses, and does not hold together.
std::vector<Broken> broken_chains() {
  const std::string calls_a = ".program p\n.function main\ncall a\nr0 = 0\nexit\n";
  const std::string lonely = ".program p\n.function main\nr0 = 0\nexit\n";
  Case too_deep = case_of(chain(1, 512));
  too_deep.programs[0].functions[0].stack_depth = 513;
  Case negative = too_deep;
  negative.programs[0].functions[0].stack_depth = -8;
  return {
      {Reason::kRecursion, case_of(calls_a + ".function a\nr0 = 0\ncall a\nexit\n"), {0, 1, 1}},
      {Reason::kRecursion, case_of(calls_a + ".function a\nr2 = a ll\nr0 = 0\nexit\n"), {0, 1, 0}},
      {Reason::kRecursion,
       case_of(lonely + ".function a\ncall b\nexit\n.function b\nr0 = 0\ncall a\nexit\n"),
       {0, 2, 1}},
      {Reason::kCallChainTooLong, case_of(chain(9, 0)), {0, 8, 0}},
      {Reason::kCallChainTooDeep, case_of(chain(8, 65)), {0, 6, 0}},
      {Reason::kCallChainTooDeep, case_of(chain(2, 257)), {0, 1, 0}},
      {Reason::kCallChainTooDeep, case_of(two_ways(209, 8)), {0, 1, 0}},
      {Reason::kCallChainTooDeep, case_of(two_ways(8, 209)), {0, 1, 0}},
      {Reason::kCallChainTooLong, case_of(short_and_long_way(true, 9)), {0, 1, 0}},
      {Reason::kCallChainTooLong, case_of(short_and_long_way(false, 9)), {0, 1, 0}},
      {Reason::kStackTooDeep, too_deep, {0, 0, 0}},
      {Reason::kStackTooDeep, negative, {0, 0, 0}},
      {Reason::kTailCallTooDeep, case_of(chain(2, 256, kTailCallCode)), {0, 1, 3}},
      {Reason::kTailCallTooDeep, case_of(chain(2, 241, kTailCallCode)), {0, 1, 3}},
      {Reason::kTailCallTooDeep, case_of(chain(3, 128, kTailCallCode)), {0, 2, 3}},
      // Kernel 6.1 counts in steps of 32, and at least one.
      {Reason::kCallChainTooDeep, case_of(chain(6, 65)), {0, 5, 0}, kEveryVerifier},
      {Reason::kCallChainTooDeep, case_of(two_ways(208, 8)), {0, 1, 0}, kEveryVerifier},
      {Reason::kTailCallTooDeep, case_of(chain(2, 225, kTailCallCode)), {0, 1, 3}, kEveryVerifier},
      {Reason::kTailCallTooDeep, case_of(chain(3, 112, kTailCallCode)), {0, 2, 3}, kEveryVerifier},
      {Reason::kTailCallInCallback,
       case_of(with_callback("call g\n")),
       {0, 2, 3},
       kNoTailCallInCallback},
      {Reason::kTailCallInCallback,
       case_of(with_callback(kTailCallCode)),
       {0, 1, 3},
       kNoTailCallInCallback},
  };
}

// About programs that throw.
std::vector<Broken> broken_throws() {
  const std::string quiet = ".program p\n.callback f\n.function main\nr0 = 0\nexit\n.function f\n";
  Case forgotten = case_of(".program p\n.function main\nr1 = 1\ncall bpf_throw\n");
  drop_default_callbacks(forgotten);
  return {
      {Reason::kNoExceptionCallback, forgotten, {0, 0, 1}},
      {Reason::kExceptionCallbackReferenced,
       case_of(
           ".program p\n.callback f\n.function main\nr1 = 0\ncall f\nexit\n.function f\nr0 = 0\n"
           "exit\n"),
       {0, 0, 1}},
      {Reason::kExceptionCallbackReferenced,
       case_of(".program p\n.callback f\n.function main\nr1 = f ll\nr0 = 0\nexit\n.function f\n"
               "r0 = 0\nexit\n"),
       {0, 0, 0}},
      {Reason::kTailCallInExceptionCallback,
       case_of(".array jmp 1\n" + quiet + "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n"),
       {0, 1, 3}},
      {Reason::kTailCallBelowExceptionCallback,
       case_of(".array jmp 1\n" + quiet +
               "r1 = 0\ncall g\nexit\n.function g\nr2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n"),
       {0, 2, 3}},
      {Reason::kThrowInCallback, case_of(quiet + "call bpf_throw\n"), {0, 1, 0}},
      {Reason::kThrowInCallback,
       case_of(".program p\n.function main\nr2 = f ll\nr0 = 0\nexit\n.function f\ncall g\nexit\n"
               ".function g\nr1 = 0\ncall bpf_throw\n"),
       {0, 2, 1}},
  };
}

std::vector<Broken> broken_cases() {
  std::vector<Broken> all = broken_code();
  for (auto part : {broken_programs(), broken_chains(), broken_throws()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(Validate, EveryBrokenRuleIsReportedAndRunSaysTheSame) {
  for (const Broken& broken : broken_cases()) {
    SCOPED_TRACE(reason_phrase(broken.reason));
    const std::optional<Defect> defect = validate(broken.value, broken.contract);
    ASSERT_TRUE(defect.has_value());
    EXPECT_EQ(defect->reason, reason_phrase(broken.reason));
    EXPECT_EQ(defect->at, broken.at);
    const Execution e = run(broken.value, broken.contract);
    EXPECT_FALSE(e.defined);
    EXPECT_EQ(e.undefined_reason, reason_phrase(broken.reason));
    EXPECT_EQ(e.undefined_at, broken.at);
    EXPECT_EQ(e.instructions, 0u);
  }
}

// The structural reasons stand first in the table.
TEST(Validate, TheBrokenCasesAreComplete) {
  std::set<Reason> seen;
  for (const Broken& broken : broken_cases()) seen.insert(broken.reason);
  for (const Reason reason : all_reasons()) {
    if (reason == Reason::kUninitialisedRegister) break;
    EXPECT_TRUE(seen.contains(reason)) << reason_phrase(reason);
  }
}

TEST(Validate, WhatJustHoldsIsSound) {
  expect_sound(one_function({kZero, kExitInsn}));
  expect_sound(one_function({make_insn(Opcode::kLoadRegion, 1), {.immediate = 7}, kExitInsn}));
  expect_sound(one_function({make_insn(Opcode::kJa, 0, 0, 0), make_insn(Opcode::kJa, 0, 0, -2)}));
  expect_sound(case_of(chain(8, 0)));
  expect_sound(case_of(chain(1, 512)));
  expect_sound(case_of(chain(2, 256)));
  expect_sound(case_of(chain(8, 64)));
  expect_sound(case_of(two_ways(208, 8)));
  expect_sound(case_of(two_ways(8, 208)));
  expect_sound(case_of(short_and_long_way(true, 8)));
  expect_sound(case_of(short_and_long_way(false, 8)));
  expect_sound(case_of(chain(1, 512, kTailCallCode)));
  expect_sound(case_of(chain(2, 240, kTailCallCode)));
  expect_sound(case_of(chain(3, 112, kTailCallCode)));
  expect_sound(case_of(with_callback("")));
  expect_sound(case_of(with_callback("")), kNoTailCallInCallback);
  for (const Contract& contract : {Contract{}, kEveryVerifier}) {
    expect_sound(case_of(with_callback("call g\n")), contract);
    expect_sound(case_of(with_callback(kTailCallCode)), contract);
  }
  expect_sound(case_of(chain(6, 65)));
  expect_sound(case_of(chain(8, 0)), kEveryVerifier);
  expect_sound(case_of(chain(8, 64)), kEveryVerifier);
  expect_sound(case_of(chain(5, 65)), kEveryVerifier);
  expect_sound(case_of(chain(2, 224, kTailCallCode)), kEveryVerifier);
  expect_sound(case_of(chain(3, 96, kTailCallCode)), kEveryVerifier);
  expect_returns(run_text(chain(8, 64)), 0);
}

TEST(Validate, CodeThatNothingReachesIsPermitted) {
  expect_sound(
      case_of(".program p\n.function main\nr0 = 0\nexit\nr0 = 1\nexit\n"
              ".function lonely\nexit\n"));
}

// An address handed down a chain can call back deeper than where it was taken.
TEST(Validate, CallbackChainsAreMeasuredWhileRunning) {
  const auto text = [](int frames, int stack) {
    std::string t = ".program p\n.function main\nr1 = body ll\ncall f1\nr0 = 0\nexit\n";
    for (int i = 1; i < frames; ++i) {
      t += fmt::format(".function f{}\n.stack {}\n", i, stack);
      t += i + 1 < frames ? fmt::format("call f{}\n", i + 1)
                          : "r2 = r1\nr1 = 1\nr3 = 0\nr4 = 0\ncall 181\n";
      t += "r0 = 0\nexit\n";
    }
    return t + fmt::format(".function body\n.stack {}\nr0 = 0\nexit\n", stack);
  };
  expect_returns(run_text(text(7, 0)), 0);
  expect_sound(case_of(text(8, 0)));
  EXPECT_EQ(run_text(text(8, 0)).undefined_reason, reason_phrase(Reason::kCallChainTooLong));
  expect_returns(run_text(text(4, 128)), 0);
  expect_sound(case_of(text(5, 128)));
  EXPECT_EQ(run_text(text(5, 128)).undefined_reason, reason_phrase(Reason::kCallChainTooDeep));
}

}  // namespace
}  // namespace plumb::oracle
