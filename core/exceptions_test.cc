// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/exceptions.h"

#include <gtest/gtest.h>

#include "core/opcode.h"
#include "core/reduce.h"

namespace plumb {
namespace {

Program throwing() {
  return {.name = "p",
          .functions = {{.name = "main",
                         .insns = {make_insn(Opcode::kMov64Imm, 1), make_insn(Opcode::kThrow)},
                         .stack_depth = 0}}};
}

TEST(Exceptions, AProgramThatThrowsGetsACallbackOnce) {
  Program program = throwing();
  ASSERT_TRUE(complete_callback(program));
  EXPECT_EQ(program.functions.size(), 2u);
  const Program once = program;
  ASSERT_TRUE(complete_callback(program));
  EXPECT_EQ(program, once);
}

TEST(Exceptions, OneThatNoLongerThrowsLosesItAgain) {
  Program program = throwing();
  ASSERT_TRUE(complete_callback(program));
  program.functions[0].insns.back() = make_insn(Opcode::kExit);
  ASSERT_TRUE(complete_callback(program));
  EXPECT_EQ(program.functions.size(), 1u);
  EXPECT_EQ(program.exception_callback, kNoFunction);
  EXPECT_FALSE(program.has_default_callback);
}

TEST(Exceptions, ThereHasToBeRoomForIt) {
  Program program = throwing();
  while (program.functions.size() < kMaxFunctions) {
    program.functions.push_back({.name = "f" + std::to_string(program.functions.size()),
                                 .insns = {make_insn(Opcode::kExit)},
                                 .stack_depth = 0});
  }
  const Program before = program;
  EXPECT_FALSE(complete_callback(program));
  EXPECT_EQ(program, before);
}

// A wide load's second slot is no instruction, whatever it holds.
TEST(Exceptions, OnlyACallOfItThrows) {
  Function function{.name = "f",
                    .insns = {make_insn(Opcode::kLoadImm64, 1), Insn{.immediate = 0x285},
                              make_insn(Opcode::kExit)},
                    .stack_depth = 0};
  EXPECT_FALSE(throws(function));
}

// Without its own callback a program that throws has the default one.
TEST(Exceptions, AReducedProgramKeepsACallback) {
  Case value;
  value.programs = {throwing()};
  Program& program = value.programs[0];
  program.functions.push_back({.name = "catch",
                               .insns = {make_insn(Opcode::kMov64Imm), make_insn(Opcode::kExit)},
                               .stack_depth = 16});
  program.exception_callback = 1;
  const auto without = without_function(value, 0, 1);
  ASSERT_TRUE(without.has_value());
  EXPECT_TRUE(without->programs[0].has_default_callback);
  EXPECT_EQ(without->programs[0].functions[1].name, kDefaultCallbackName);
}

}  // namespace
}  // namespace plumb
