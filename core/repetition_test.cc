// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/repetition.h"

#include <gtest/gtest.h>

#include <string>

#include "core/case_text.h"
#include "core/opcode.h"

namespace plumb {
namespace {

std::string in_function(const std::string& body) {
  return ".case 1\n.program p\n.function main\n" + body + "        r0 = 0\n        exit\n";
}

Case parsed(const std::string& text) {
  const Result<Case> value = parse_case(text);
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return value ? *value : Case{};
}

TEST(Repetition, AMillionSlotsAreAFewLines) {
  const std::string text =
      in_function(".repeat 333332\n        r1 = 0x5 ll\n        r0 ^= r1\n.end\n");
  const Case value = parsed(text);
  EXPECT_EQ(count_slots(value), 999'998u);
  EXPECT_EQ(print_case(value), text);
}

TEST(Repetition, IsTheSameCaseAsAllItsLines) {
  std::string lines;
  for (int n = 0; n < 64; ++n) lines += "        r0 += 1\n";
  const std::string text = in_function(".repeat 64\n        r0 += 1\n.end\n");
  EXPECT_EQ(parsed(in_function(lines)), parsed(text));
  EXPECT_EQ(print_case(parsed(in_function(lines))), text);
}

TEST(Repetition, FewLinesStandAsTheyAre) {
  std::string lines;
  for (int n = 0; n < 63; ++n) lines += "        r0 += 1\n";
  EXPECT_EQ(print_case(parsed(in_function(lines))), in_function(lines));
}

// A label can stand in front of a row, and splits one.
TEST(Repetition, JumpsGoAroundAndInBetween) {
  const std::string text = in_function(
      "        if r1 == 0 goto L65\n"
      ".repeat 64\n        r0 += 1\n.end\n"
      "L65:\n"
      ".repeat 100\n        r0 += 1\n        r0 ^= 5\n.end\n");
  EXPECT_EQ(print_case(parsed(text)), text);
}

TEST(Repetition, ARowMayEndBeforeTheNextPass) {
  const std::string text =
      in_function(".repeat 32\n        r0 += 1\n        r0 ^= 5\n.end\n        r0 += 1\n");
  EXPECT_EQ(print_case(parsed(text)), text);
}

TEST(Repetition, WhatNamesSomethingIsWrittenOut) {
  for (const Opcode id : {Opcode::kJa, Opcode::kJal, Opcode::kJeq64Imm, Opcode::kCallFunction,
                          Opcode::kLoadArray, Opcode::kLoadRegion, Opcode::kLoadFunction}) {
    EXPECT_FALSE(may_repeat(make_insn(id))) << opcode_info(id).name;
  }
  std::string jumps;
  for (int n = 0; n < 100; ++n) jumps += "        goto +0\n";
  EXPECT_EQ(print_case(parsed(in_function(jumps))).find(".repeat"), std::string::npos);
}

TEST(Repetition, AReaderMaySetALowerBound) {
  const std::string text = in_function(".repeat 98\n        r0 += 1\n.end\n");
  EXPECT_TRUE(parse_case(text, "x", 100).has_value());
  const Result<Case> refused = parse_case(text, "x", 99);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "a case has at most 99 slots");
}

}  // namespace
}  // namespace plumb
