// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/case_text.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "core/testing_case.h"

namespace plumb {
namespace {

// One function with these lines.
Case parse_lines(const std::string& lines) {
  const Result<Case> result = parse_case(
      ".case 1\n.array jmp 1\n.region data 16\n.program p\n"
      ".function main\n" +
      lines + "\nexit\n.function sub\nexit\n");
  EXPECT_TRUE(result.has_value()) << lines << ": " << (result ? "" : result.error().str());
  return result.value_or(Case{});
}

Insn parse_one(const std::string& line) {
  const Case value = parse_lines(line);
  return value.programs.empty() ? Insn{} : value.programs[0].functions[0].insns[0];
}

RC_GTEST_PROP(CaseText, WhatIsPrintedParsesToTheSame, ()) {
  testing::Choices choices(*rc::gen::resize(1000, rc::gen::arbitrary<std::vector<std::uint8_t>>()));
  const Case value = testing::random_case(choices);
  const std::string text = print_case(value);
  const Result<Case> again = parse_case(text);
  if (!again) RC_FAIL(again.error().str() + "\n" + text);
  RC_ASSERT(*again == value);
  RC_ASSERT(print_case(*again) == text);
}

TEST(CaseText, RoundTripsLargeRandomCasesWithEveryOpcode) {
  std::set<Opcode> seen;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    testing::Choices choices = testing::random_choices(seed, 3000);
    const Case value = testing::random_case(choices);
    const Result<Case> again = parse_case(print_case(value));
    ASSERT_TRUE(again.has_value()) << seed << " " << again.error().str() << print_case(value);
    ASSERT_EQ(*again, value) << seed << print_case(value);
    for (const Program& program : value.programs) {
      for (const Function& function : program.functions) {
        for (const Insn& insn : function.insns) {
          if (const OpcodeInfo* info = decode(insn)) seen.insert(info->id);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), opcode_table().size());
}

TEST(CaseText, PrintsEveryDirectiveInItsPlace) {
  constexpr std::string_view kText =
      ".case 1\n"
      "// What it is about.\n"
      "//\n"
      "//   indented\n"
      ".array jmp 3\n"
      ".slot jmp 2 second\n"
      ".region data 20\n"
      ".bytes 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10\n"
      ".bytes 11\n"
      ".region empty 4\n"
      ".enter second\n"
      ".program first\n"
      ".function main\n"
      ".stack 64\n"
      "        r6 = r10\n"
      "        r6 += -8\n"
      "L2:\n"
      "        if r0 s> -5 goto L2\n"
      "        call helper.1\n"
      "        exit\n"
      ".function helper.1\n"
      "        r1 = 0xffffffff00000001 ll\n"
      "        r2 = jmp ll\n"
      "        r3 = data+7 ll\n"
      "        r4 = helper.1 ll\n"
      "        call 12                 // bpf_tail_call\n"
      "        exit\n"
      ".program second\n"
      ".function main\n"
      "        exit\n"
      ".context 00 ff\n"
      ".expect return -1\n"
      ".waive a.b.c.d linux-* because of https://example.org\n"
      ".waive a.b.c.d linux-* like=reference:arm64-5.19 restored\n"
      ".waive a.*.d linux-* code=[rw](.)_<<=_[rw]\\1 shifted by itself\n";
  const Result<Case> value = parse_case(kText);
  ASSERT_TRUE(value.has_value()) << value.error().str();
  EXPECT_EQ(print_case(*value), kText);
  EXPECT_EQ(value->notes, (std::vector<std::string>{"What it is about.", "", "  indented"}));
  EXPECT_EQ(value->enter, 1);
  EXPECT_EQ(value->arrays[0].slots, (std::vector<int>{kNoProgram, kNoProgram, 1}));
  EXPECT_EQ(value->programs[0].functions[0].stack_depth, 64);
  EXPECT_EQ(value->expectation.value, ~std::uint64_t{0});
}

TEST(CaseText, BlanksCommentsAndCarriageReturnsMeanNothing) {
  const Result<Case> plain = parse_case(".case 1\n.program p\n.function f\nx: r1 = -8\ngoto x\n");
  const Result<Case> dressed = parse_case(
      ".case 1 // now\r\n\r\n  .program p\t// the program\r\n.function   f\r\n// code\r\nx :\r\n"
      "\t r1=-8 // number\r\n  goto   x//y\r\n");
  ASSERT_TRUE(plain.has_value() && dressed.has_value()) << dressed.error().str();
  EXPECT_EQ(*plain, *dressed);
}

TEST(CaseText, StackIsPrintedOnlyWhereItIsNotInferred) {
  Case value = parse_lines("*(u64 *)(r10 - 16) = r1");
  Function& function = value.programs[0].functions[0];
  EXPECT_EQ(function.stack_depth, 16);
  EXPECT_EQ(print_case(value).find(".stack"), std::string::npos);
  function.stack_depth = 24;
  EXPECT_NE(print_case(value).find(".stack 24\n"), std::string::npos);
}

TEST(CaseText, PrintInsnGivesOneInstruction) {
  const Case value = parse_lines("r1 = 1 ll\nif r1 == 0 goto -3\ncall sub\nr2 = data+3 ll");
  const Program& program = value.programs[0];
  const Function& main = program.functions[0];
  EXPECT_EQ(print_insn(value, program, main, 0), "r1 = 0x1 ll");
  EXPECT_EQ(print_insn(value, program, main, 2), "if r1 == 0 goto L0");
  EXPECT_EQ(print_insn(value, program, main, 3), "call sub");
  EXPECT_EQ(print_insn(value, program, main, 4), "r2 = data+3 ll");
}

TEST(CaseText, TheExampleOfTheDescriptionIsCanonical) {
  std::ifstream file("docs/case-format.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view kFence = "```\n";
  const std::size_t begin = document.find(kFence) + kFence.size();
  const std::string example = document.substr(begin, document.find(kFence, begin) - begin);
  const Result<Case> value = parse_case(example);
  ASSERT_TRUE(value.has_value()) << value.error().str();
  EXPECT_EQ(print_case(*value), example);
}

struct Spelling {
  const char* text;
  Insn insn;
};

TEST(CaseText, AcceptsWhatLlvmAccepts) {
  const Spelling kSpellings[] = {
      {"w2 = *(u32 *)(r1 + 0)", make_insn(Opcode::kLoad32, 2, 1)},
      {"r2 = *(u32 *)(r1 + 0)", make_insn(Opcode::kLoad32, 2, 1)},
      {"w2 = *(u8 *)(r1 - 1)", make_insn(Opcode::kLoad8, 2, 1, -1)},
      {"*(u16 *)(r1 + 0x10) = w2", make_insn(Opcode::kStore16, 1, 2, 16)},
      {"*(u16*)(r10-0x10)=r2", make_insn(Opcode::kStore16, 10, 2, -16)},
      {"*( u32 * )( r10 + 32767 ) = 0xffffffff", make_insn(Opcode::kStoreImm32, 10, 0, 32767, -1)},
      {"lock *(u32 *)(r1 + 0) += r2", make_insn(Opcode::kAtomicAdd32, 1, 2)},
      {"lock *(u32 *)(r1 + 0) += w2", make_insn(Opcode::kAtomicAdd32, 1, 2)},
      {"lock *(u64 *)(r1 - 32768) ^= r2", make_insn(Opcode::kAtomicXor64, 1, 2, -32768)},
      {"r1 += 4294967295", make_insn(Opcode::kAdd64Imm, 1, 0, 0, -1)},
      {"w1 = -2147483648", make_insn(Opcode::kMov32Imm, 1, 0, 0, -2147483647 - 1)},
      {"r1=5", make_insn(Opcode::kMov64Imm, 1, 0, 0, 5)},
      {"r1 = -r1", make_insn(Opcode::kNeg64, 1)},
      {"r1 s>>= 0x3", make_insn(Opcode::kArsh64Imm, 1, 0, 0, 3)},
      {"goto +0", make_insn(Opcode::kJa)},
      {"goto 0", make_insn(Opcode::kJa)},
      {"goto -0x1", make_insn(Opcode::kJa, 0, 0, -1)},
      {"gotol +0", make_insn(Opcode::kJal)},
      {"if w1 & w2 goto +0", make_insn(Opcode::kJset32Reg, 1, 2)},
      {"call 0x7", make_insn(Opcode::kCallHelper, 0, 0, 0, 7)},
      {"call sub", make_insn(Opcode::kCallFunction, 0, 0, 0, 1)},
      {"r0 = *(u32 *)skb[-1]", make_insn(Opcode::kLoadAbs32, 0, 0, 0, -1)},
      {"r1 = jmp ll", make_insn(Opcode::kLoadArray, 1)},
  };
  for (const Spelling& spelling : kSpellings) {
    EXPECT_EQ(parse_one(spelling.text), spelling.insn) << spelling.text;
  }
}

TEST(CaseText, ReadsTheWholeRangeOfReturnValues) {
  const std::pair<const char*, std::uint64_t> kValues[] = {
      {"0", 0},
      {"-9223372036854775808", std::uint64_t{1} << 63},
      {"18446744073709551615", ~std::uint64_t{0}},
      {"0xffffffffffffffff", ~std::uint64_t{0}},
      {"-0x1", ~std::uint64_t{0}}};
  for (const auto& [text, bits] : kValues) {
    const Result<Case> value = parse_case(
        fmt::format(".case 1\n.program p\n.function f\nexit\n.expect return {}\n", text));
    ASSERT_TRUE(value.has_value()) << value.error().str();
    EXPECT_EQ(value->expectation, (Expectation{Expectation::Kind::kReturn, bits})) << text;
  }
}

TEST(ReadCase, SaysWhyAFileCannotBeRead) {
  const Result<Case> missing = read_case("corpus/no-such-file.bpf");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().str(),
            "corpus/no-such-file.bpf: cannot be read: No such file or directory");
  const Result<Case> directory = read_case("corpus");
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error().str(), "corpus: is a directory");
  const Result<Case> endless = read_case("/dev/zero");
  ASSERT_FALSE(endless.has_value());
  EXPECT_EQ(endless.error().str(), "/dev/zero: is larger than 1048576 bytes");
  const Result<Case> nothing = read_case("/dev/null");
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().str(), "/dev/null:1:1: expected '.case 1' in the first line");
}

TEST(CaseText, AProgramThatThrowsAndNamesNoCallbackGetsOneThatNoTextShows) {
  const std::string text =
      ".case 1\n.program p\n.function main\n        r1 = 1\n        call bpf_throw\n";
  const Result<Case> value = parse_case(text, "x.bpf");
  ASSERT_TRUE(value.has_value()) << value.error().str();
  const Program& program = value->programs[0];
  ASSERT_EQ(program.functions.size(), 2u);
  EXPECT_EQ(program.exception_callback, 1);
  EXPECT_TRUE(program.has_default_callback);
  EXPECT_EQ(program.functions[1].insns,
            (std::vector{make_insn(Opcode::kMov64Reg, 0, 1), make_insn(Opcode::kExit)}));
  EXPECT_EQ(print_case(*value), text);
  EXPECT_EQ(count_slots(*value), 2u) << "of what the file has";
}

TEST(CaseText, ACallbackIsNamedBeforeOrBehindItsFunction) {
  const std::string text =
      ".case 1\n.program p\n.callback f\n.function main\n        r0 = 0\n        exit\n"
      ".function f\n        r0 = r1\n        exit\n";
  const Result<Case> value = parse_case(text, "x.bpf");
  ASSERT_TRUE(value.has_value()) << value.error().str();
  EXPECT_EQ(value->programs[0].exception_callback, 1);
  EXPECT_FALSE(value->programs[0].has_default_callback);
  EXPECT_EQ(print_case(*value), text);
  std::string behind = text;
  behind.erase(behind.find(".callback f\n"), 12);
  EXPECT_EQ(parse_case(behind + ".callback f\n", "x.bpf"), value);
}

}  // namespace
}  // namespace plumb
