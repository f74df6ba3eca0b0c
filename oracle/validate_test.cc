// SPDX-License-Identifier: GPL-2.0-or-later
//
// Structural rules: each is broken once, in text where the parser lets it through and in
// instructions where it does not; run() says the same as validate(). And the capabilities.
#include "oracle/validate.h"

#include <fmt/core.h>

#include <set>

#include "core/capability.h"
#include "oracle/test_support.h"

namespace plumb::oracle {
namespace {

std::set<std::string>& reported() {
  static std::set<std::string> reasons;
  return reasons;
}

void expect_defect(const Case& value, Reason reason, const Place& at) {
  const std::optional<Defect> defect = validate(value);
  ASSERT_TRUE(defect.has_value()) << reason_phrase(reason);
  EXPECT_EQ(*defect, (Defect{std::string(reason_phrase(reason)), at}));
  const Execution e = run(value, {});
  EXPECT_FALSE(e.defined);
  EXPECT_EQ(e.undefined_reason, reason_phrase(reason));
  EXPECT_EQ(e.undefined_at, at);
  EXPECT_EQ(e.instructions, 0u);
  reported().insert(e.undefined_reason);
}

void expect_sound(const Case& value) {
  const std::optional<Defect> defect = validate(value);
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

TEST(Validate, WhatTheParserRefusesIsRefusedHereToo) {
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
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(reason_phrase(row.reason));
    expect_defect(one_function(row.insns), row.reason, {0, 0, row.slot});
  }
  expect_sound(one_function({make_insn(Opcode::kLoadRegion, 1), {.immediate = 7}, kExitInsn}));
  expect_sound(one_function({make_insn(Opcode::kJa, 0, 0, 0), make_insn(Opcode::kJa, 0, 0, -2)}));
}

TEST(Validate, ProgramsThatAreReferredToExist) {
  Case value = one_function({kZero, kExitInsn});
  expect_sound(value);
  value.arrays[0].slots[0] = 1;
  expect_defect(value, Reason::kNoSuchProgram, {});
  value.arrays[0].slots[0] = -2;
  expect_defect(value, Reason::kNoSuchProgram, {});
  value.arrays[0].slots[0] = 0;
  value.enter = 1;
  expect_defect(value, Reason::kNoSuchProgram, {});
  expect_defect(Case{}, Reason::kNoSuchProgram, {});
  value.enter = 0;
  value.programs.push_back({"empty", {}});
  expect_defect(value, Reason::kNoSuchProgram, {});
}

TEST(Validate, CodeThatNothingReachesIsCheckedAndPermitted) {
  expect_sound(
      case_of(".program p\n.function main\nr0 = 0\nexit\nr0 = 1\nexit\n"
              ".function lonely\nexit\n"));
  const Case loops = case_of(
      ".program p\n.function main\nr0 = 0\nexit\n.function a\ncall b\nexit\n"
      ".function b\nr0 = 0\ncall a\nexit\n");
  expect_defect(loops, Reason::kRecursion, {0, 2, 1});
}

TEST(Validate, NoRecursion) {
  expect_defect(case_of(".program p\n.function main\ncall a\nr0 = 0\nexit\n"
                        ".function a\nr0 = 0\ncall a\nexit\n"),
                Reason::kRecursion, {0, 1, 1});
  expect_defect(case_of(".program p\n.function main\ncall a\nr0 = 0\nexit\n"
                        ".function a\nr2 = a ll\nr0 = 0\nexit\n"),
                Reason::kRecursion, {0, 1, 0});
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

TEST(Validate, AtMostEightFrames) {
  expect_sound(case_of(chain(8, 0)));
  expect_returns(run_text(chain(8, 0)), 0);
  expect_defect(case_of(chain(9, 0)), Reason::kCallChainTooLong, {0, 8, 0});
}

TEST(Validate, AtMost512BytesInAChainEachFrameRoundedTo16) {
  expect_sound(case_of(chain(1, 512)));
  expect_sound(case_of(chain(2, 256)));
  expect_sound(case_of(chain(8, 64)));
  expect_defect(case_of(chain(8, 65)), Reason::kCallChainTooDeep, {0, 6, 0});
  expect_defect(case_of(chain(2, 257)), Reason::kCallChainTooDeep, {0, 1, 0});
  Case deep = case_of(chain(1, 512));
  deep.programs[0].functions[0].stack_depth = 513;
  expect_defect(deep, Reason::kStackTooDeep, {0, 0, 0});
  deep.programs[0].functions[0].stack_depth = -8;
  expect_defect(deep, Reason::kStackTooDeep, {0, 0, 0});
}

// The longest way counts, not the first one found.
TEST(Validate, EveryWayToAFunctionIsSeen) {
  const auto text = [](int stack) {
    return fmt::format(
        ".program p\n.function main\n.stack 96\ncall leaf\ncall a\nr0 = 0\nexit\n"
        ".function leaf\n.stack 200\nexit\n.function a\n.stack {}\ncall b\nexit\n"
        ".function b\ncall leaf\nexit\n",
        stack);
  };
  expect_sound(case_of(text(208)));
  expect_defect(case_of(text(209)), Reason::kCallChainTooDeep, {0, 1, 0});
}

TEST(Validate, LessThan256BytesAboveATailCall) {
  expect_sound(case_of(chain(1, 512, kTailCallCode)));
  expect_sound(case_of(chain(2, 240, kTailCallCode)));
  expect_defect(case_of(chain(2, 256, kTailCallCode)), Reason::kTailCallTooDeep, {0, 1, 3});
  expect_defect(case_of(chain(2, 241, kTailCallCode)), Reason::kTailCallTooDeep, {0, 1, 3});
  expect_sound(case_of(chain(3, 112, kTailCallCode)));
  expect_defect(case_of(chain(3, 128, kTailCallCode)), Reason::kTailCallTooDeep, {0, 2, 3});
}

TEST(Validate, NoTailCallUnderACallback) {
  const auto text = [](std::string_view callback_body) {
    return ".array jmp 1\n.program p\n.function main\nr1 = 0\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\n"
           "r0 = 0\nexit\n.function f\n" +
           std::string(callback_body) +
           "r0 = 0\nexit\n.function g\nr2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n";
  };
  expect_sound(case_of(text("")));
  expect_defect(case_of(text("call g\n")), Reason::kTailCallInCallback, {0, 2, 3});
  expect_defect(case_of(text("r2 = jmp ll\nr3 = 0\ncall 12\n")), Reason::kTailCallInCallback,
                {0, 1, 3});
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

// Runs last in this file: the tests above report every structural reason.
TEST(ValidateTable, EveryStructuralReasonWasSeen) {
  if (reported().empty()) GTEST_SKIP() << "runs with the other tests of this file only";
  for (const Reason reason : all_reasons()) {
    if (reason == Reason::kUninitialisedRegister) break;
    EXPECT_TRUE(reported().contains(std::string(reason_phrase(reason)))) << reason_phrase(reason);
  }
}

TEST(RequiredCapabilities, FollowTheInstructions) {
  using enum Capability;
  struct Row {
    std::string_view body;
    std::uint64_t expected;
  };
  const Row rows[] = {
      {"", 0},
      {"call 7", 0},
      {"if w1 == 0 goto +0", 0},
      {"r2 = 1\nlock *(u64 *)(r1 + 0) += r2", 0},
      {"r2 = 1\nlock *(u32 *)(r1 + 0) |= w2", capability_bit(kAtomics)},
      {"r2 = 1\nr2 = atomic_fetch_add((u64 *)(r1 + 0), r2)", capability_bit(kAtomics)},
      {"r2 = 1\nr2 = xchg_64(r1 + 0, r2)", capability_bit(kAtomics)},
      {"r2 = 1\nr2 s/= 2", capability_bit(kV4)},
      {"r2 = 1\nr2 s%= r2", capability_bit(kV4)},
      {"r2 = 1\nr2 = (s8)r2", capability_bit(kV4)},
      {"r2 = *(s8 *)(r1 + 0)", capability_bit(kV4)},
      {"r2 = 1\nr2 = bswap16 r2", capability_bit(kV4)},
      {"gotol +0", capability_bit(kV4)},
      {"r2 = jmp ll\nr3 = 0\ncall 12", capability_bit(kTailCall)},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.body);
    EXPECT_EQ(required_capabilities(case_of(in_main(std::string(row.body) + "\nr0 = 0\nexit"))),
              row.expected);
  }
}

TEST(RequiredCapabilities, MixingCallsAndTailCallsIsOneOfItsOwn) {
  using enum Capability;
  EXPECT_EQ(required_capabilities(case_of(chain(2, 0))), capability_bit(kCallSubprograms));
  EXPECT_EQ(required_capabilities(case_of(chain(2, 0, kTailCallCode))),
            capability_bit(kCallSubprograms) | capability_bit(kTailCall) |
                capability_bit(kTailCallInSubprogram));
  // A tail call in one program and subprograms in another do not mix.
  EXPECT_EQ(required_capabilities(case_of(chain(2, 0) + ".program q\n.function main\n" +
                                          std::string(kTailCallCode) + "r0 = 0\nexit\n")),
            capability_bit(kCallSubprograms) | capability_bit(kTailCall));
  EXPECT_EQ(required_capabilities(case_of(
                ".program p\n.function main\nr2 = f ll\nr0 = 0\nexit\n.function f\nexit\n")),
            capability_bit(kCallSubprograms) | capability_bit(kCallBack));
}

}  // namespace
}  // namespace plumb::oracle
