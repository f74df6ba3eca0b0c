// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "core/case_text.h"

namespace plumb {
namespace {

struct Broken {
  std::string text;
  int line;
  int column;
  const char* message;  // a part of it
};

void expect_error(const Broken& broken) {
  const Result<Case> result = parse_case(broken.text, "x.bpf");
  const std::string shown = broken.text.substr(0, 300);
  ASSERT_FALSE(result.has_value()) << shown;
  const Error& error = result.error();
  EXPECT_EQ(error.file, "x.bpf");
  EXPECT_EQ(error.line, broken.line) << shown << "\n" << error.str();
  EXPECT_EQ(error.column, broken.column) << shown << "\n" << error.str();
  EXPECT_NE(error.message.find(broken.message), std::string::npos) << shown << "\n" << error.str();
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << "one line: " << error.str();
}

std::string repeat(int count, std::string_view text) {
  std::string result;
  for (int i = 0; i < count; ++i) result += fmt::format(fmt::runtime(text), i);
  return result;
}

TEST(CaseErrors, OfTheFirstLine) {
  for (const Broken& broken : {
           Broken{"", 1, 1, "expected '.case 1' in the first line"},
           {"\n.case 1\n", 1, 1, "expected '.case 1'"},
           {"\xef\xbb\xbf.case 1\n", 1, 1, "expected '.case 1'"},
           {".case\n", 1, 6, "expected a format version, found the end of the line"},
           {".case 2\n", 1, 7, "format version 2 is not known; this program reads 1"},
           {".case one\n", 1, 7, "expected a format version, found 'one'"},
           {".case 1 2\n", 1, 9, "expected the end of the line, found '2'"},
           {".cases 1\n", 1, 1, "expected '.case 1'"},
           {".case 1", 1, 1, "the case has no program"},
       }) {
    expect_error(broken);
  }
}

// The lines stand behind ".case 1".
TEST(CaseErrors, OfDirectives) {
  const std::string program = ".program p\n.function main\nexit\n";
  for (Broken broken : {
           Broken{"// nothing\n", 2, 1, "the case has no program"},
           {".callback f\n", 2, 1, "'.callback' stands in a program (.program NAME)"},
           {".program p\n.callback\n", 3, 10, "expected a function name"},
           {".program p\n.callback f\n.function main\nexit\n", 3, 11, "there is no function 'f'"},
           {".program p\n.callback main\n.function main\nexit\n", 3, 11,
            "the main function is no exception callback"},
           {".program p\n.callback f\n.callback f\n.function main\nexit\n", 4, 1,
            "'.callback' stands once in a program"},
           {".program p\n.function main\nexit\n.function bpf_throw\nexit\n", 5, 11,
            "'bpf_throw' is the kernel's, no function's name"},
           {".frobnicate 1\n", 2, 1, "no such directive: '.frobnicate'"},
           {".case 1\n", 2, 1, "'.case' stands in the first line only"},
           {"# comment\n", 2, 1, "expected a directive, found '#'"},
           {"hello\n", 2, 1, "expected a directive, found 'hello'"},
           {"r1 = 5\n", 2, 1, "an instruction stands in a function"},
           {".array\n", 2, 7, "expected a name, found the end of the line"},
           {".array 1a 4\n", 2, 8, "expected a name, found '1a'"},
           {".array a\n", 2, 9, "expected an array size, found the end of the line"},
           {".array a 0\n", 2, 10, "expected an array size from 1 to 256"},
           {".array a 257\n", 2, 10, "expected an array size from 1 to 256"},
           {".array a 99999999999999999999\n", 2, 10, "does not fit 64 bits"},
           {".array a -1\n", 2, 10, "expected an array size from 1 to 256"},
           {".array a 4x\n", 2, 10, "this is not a number"},
           {".array a 010\n", 2, 10, "does not start with 0"},
           {".array a 0x\n", 2, 10, "this is not a number"},
           {".array a 1 1\n", 2, 12, "expected the end of the line, found '1'"},
           {".array a 1\n.array a 1\n", 3, 8, "'a' is already declared, line 2"},
           {".array a 1\n.region a 1\n", 3, 9, "'a' is already declared, line 2"},
           {".array " + std::string(64, 'a') + " 1\n", 2, 8, "a name has at most 63 characters"},
           {repeat(8, ".array a{} 1\n") + "  .array b 1\n", 10, 3, "too many arrays: at most 8"},
           {repeat(9, ".region a{} 1\n"), 10, 1, "too many regions: at most 8"},
           {".region r 4097\n", 2, 11, "expected a region size from 1 to 4096"},
           {".bytes 00\n", 2, 1, "'.bytes' stands right after '.region'"},
           {".region r 2\n.context 00\n.bytes 00\n", 4, 1, "'.bytes' stands right after"},
           {".region r 2\n.bytes 00 01 02\n", 3, 14, "too many bytes for region 'r' of size 2"},
           {".region r 2\n.bytes\n", 3, 7, "expected a byte of two hex digits, found the end"},
           {".region r 2\n.bytes 0\n", 3, 8, "expected a byte of two hex digits, found '0'"},
           {".region r 2\n.bytes 0g\n", 3, 8, "expected a byte of two hex digits, found '0g'"},
           {".context 000\n", 2, 10, "expected a byte of two hex digits"},
           {".context // none\n", 2, 10, "expected a byte of two hex digits"},
           {repeat(257, ".context 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"), 258, 10,
            "too many bytes for the context"},
           {".slot a 0 p\n", 2, 7, "there is no array 'a' above"},
           {".region a 4\n.slot a 0 p\n", 3, 7, "there is no array 'a' above"},
           {".array a 2\n.slot a 2 p\n", 3, 9, "expected a slot index from 0 to 1"},
           {".array a 2\n.slot a x p\n", 3, 9, "expected a slot index, found 'x'"},
           {".array a 2\n.slot a 0\n", 3, 10, "expected a program name"},
           {".array a 2\n.slot a 0 p\n.slot a 0 p\n", 4, 9, "already set, line 3"},
           {".array a 2\n.slot a 0 q\n" + program, 3, 11, "there is no program 'q'"},
           {".enter q\n" + program, 2, 8, "there is no program 'q'"},
           {".enter p\n.enter p\n" + program, 3, 1, "'.enter' stands once in a case"},
           {".enter\n", 2, 7, "expected a program name"},
           {".expect\n", 2, 8, "expected 'return' or 'undefined', found the end of the line"},
           {".expect returns 1\n", 2, 9, "expected 'return' or 'undefined', found 'returns'"},
           {".expect return\n", 2, 15, "expected a number, found the end of the line"},
           {".expect return 0x10000000000000000\n", 2, 16, "does not fit 64 bits"},
           {".expect return -9223372036854775809\n", 2, 16, "expected a number from"},
           {".expect undefined 1\n", 2, 19, "expected the end of the line, found '1'"},
           {".expect undefined\n.expect undefined\n", 3, 1, "'.expect' stands once in a case"},
           {".waive\n", 2, 7, "expected a signature"},
           {".waive a.b.c.d\n", 2, 15, "expected a glob of JIT names"},
           {".waive a.b.c.d linux-*  \n", 2, 25, "expected the reason"},
           {".waive a.b.c.d linux-* like= why\n", 2, 29, "expected the name of a JIT"},
           {".waive a.b.c.d linux-* like=a\n", 2, 24, "expected the reason"},
           {".waive a.b.c.d linux-* code= why\n", 2, 29,
            "expected a regular expression of at most 80 characters"},
           {".waive a.b.c.d linux-* code=(a why\n", 2, 29,
            "expected a regular expression of at most 80 characters"},
           {".waive a.b.c.d linux-* code=a\n", 2, 24, "expected the reason"},
           {".function main\n", 2, 1, "'.function' stands in a program"},
           {".stack 8\n", 2, 1, "'.stack' stands once, between"},
           {".program p\n", 2, 10, "program 'p' has no function"},
           {".program p\n.program q\n.function f\nexit\n", 2, 10, "program 'p' has no function"},
           {program + program, 5, 10, "'p' is already declared, line 2"},
           {".program p\n.function f\n", 3, 11, "function 'f' has no instruction"},
           {".program p\n.function f\n.function g\nexit\n", 3, 11, "'f' has no instruction"},
           {program + ".function main\nexit\n", 5, 11, "'main' is already declared, line 3"},
           {program + ".array main 1\n", 3, 11, "'main' is already the name of an array, line 5"},
           {".region main 1\n" + program, 4, 11, "already the name of a region, line 2"},
           {program + ".context 00\nexit\n", 6, 1, "an instruction stands in a function"},
           {repeat(33, ".program p{}\n.function f\nexit\n"), 98, 1,
            "too many programs: at most 32"},
           {".program p\n" + repeat(33, ".function f{}\nexit\n"), 67, 1,
            "too many functions of a program: at most 32"},
           {program + "// a\x01z\n", 5, 5, "control character 0x01"},
           {program + std::string("\0", 1), 5, 1, "control character 0x00"},
           {program + "// \r x\n", 5, 4, "control character 0x0d"},
       }) {
    broken.text.insert(0, ".case 1\n");
    expect_error(broken);
  }
}

// The lines are the first of a function, from line 10 on.
TEST(CaseErrors, OfInstructions) {
  const std::string before =
      ".case 1\n.array jmp 2\n.region data 8\n.program q\n.function other\nexit\n\n.program p\n"
      ".function main\n";
  for (Broken broken : {
           Broken{"frob r1\n", 10, 1, "no instruction starts with 'frob'"},
           {"  R1 = 3\n", 10, 3, "no instruction starts with 'R1'"},
           {"exits\n", 10, 1, "no instruction starts with 'exits'"},
           {"# r1 = 3\n", 10, 1, "no instruction starts with '#'"},
           {"\xc3\xa4 = 3\n", 10, 1, "no instruction starts with '?'"},
           {"r1\n", 10, 3, "expected an operator, found the end of the line"},
           {"r1 foo 3\n", 10, 4, "expected an operator, found 'foo'"},
           {"r1 == 3\n", 10, 4, "expected an operator, found '='"},
           {"r1 = \n", 10, 6, "expected an operand, found the end of the line"},
           {"r1 += w2\n", 10, 7, "expected a number or a register r0 ... r10, found 'w2'"},
           {"w1 += r2\n", 10, 7, "expected a number or a register w0 ... w10, found 'r2'"},
           {"r11 = 3\n", 10, 1, "there is no such register; r0 ... r10 exist"},
           {"r1 += r99999999999\n", 10, 7, "there is no such register"},
           {"r10 = 3\n", 10, 1, "r10 is read-only"},
           {"r10 += -8\n", 10, 1, "r10 is read-only"},
           {"r1 += 4294967296\n", 10, 7, "the number does not fit 32 bits"},
           {"r1 += -2147483649\n", 10, 7, "the number does not fit 32 bits"},
           {"r1 = 4294967296\n", 10, 6, "'r1 = NUMBER ll' takes 64"},
           {"r1 += 12abc\n", 10, 7, "this is not a number"},
           {"r1 += 0x\n", 10, 7, "this is not a number"},
           {"r1 += 08\n", 10, 7, "a decimal number does not start with 0"},
           {"r1 = 0x10000000000000000 ll\n", 10, 6, "does not fit 64 bits"},
           {"r1 = -9223372036854775809 ll\n", 10, 6, "does not fit 64 bits"},
           {"r1 = 5 6\n", 10, 8, "expected the end of the line, found '6'"},
           {"r1 = 5 # five\n", 10, 8, "expected the end of the line, found '#'"},
           {"r1 = 5; r2 = 6\n", 10, 7, "expected the end of the line, found ';'"},
           {"r1 = -r2\n", 10, 7, "expected r1 here too: both must be the same register"},
           {"r1 = be16 r2\n", 10, 11, "expected r1 here too"},
           {"w1 = be16 w1\n", 10, 6, "found 'be16'"},
           {"r1 = (s8)w2\n", 10, 10, "expected a register r0 ... r10, found 'w2'"},
           {"r1 = (u8)r2\n", 10, 7, "expected 's8', 's16' or 's32', found 'u8'"},
           {"r1 = *(u64 *)(r2)\n", 10, 17, "expected '+' or '-' and an offset, found ')'"},
           {"r1 = *(u64 *)(r2 + 32768)\n", 10, 20, "the offset does not fit 16 bits"},
           {"r1 = *(u64 *)(r2 - 32769)\n", 10, 20, "the offset does not fit 16 bits"},
           {"r1 = *(u64 *)(r2 + -8)\n", 10, 20, "a number without a second sign"},
           {"r1 = *(u64 *)(r2 + x)\n", 10, 20, "expected an offset"},
           {"r1 = *(u64 *)(w2 + 0)\n", 10, 15, "expected a base register r0 ... r10, found 'w2'"},
           {"r1 = *(u64 *)(r2 + 8\n", 10, 21, "expected ')', found the end of the line"},
           {"r1 = *(u24 *)(r2 + 8)\n", 10, 8,
            "expected 'u8', 's8', 'u16', 's16', 'u32', 's32' or 'u64', found 'u24'"},
           {"w1 = *(u64 *)(r2 + 8)\n", 10, 8, "found 'u64'"},
           {"*(u64 *)(r1 + 0) = w2\n", 10, 20, "found 'w2'"},
           {"*(s32 *)(r1 + 0) = r2\n", 10, 3, "found 's32'"},
           {"lock *(u64 *)(r1 + 0) -= r2\n", 10, 23, "found '-'"},
           {"r2 = atomic_fetch_add((u64 *)(r1 + 0), r3)\n", 10, 40, "expected r2 here too"},
           {"r0 = cmpxchg_64(r1 + 0, r1, r2)\n", 10, 25, "expected 'r0', found 'r1'"},
           {"if r1 goto +1\n", 10, 7, "expected an operator, found 'goto'"},
           {"if r1 = 5 goto +1\n", 10, 7, "expected an operator, found '='"},
           {"if r1 == w2 goto +1\n", 10, 10, "found 'w2'"},
           {"if r1 == 5\n", 10, 11, "expected 'goto', found the end of the line"},
           {"if r1 == 5 goto\n", 10, 16, "expected a label or an offset like +3"},
           {"goto nowhere\nexit\n", 10, 6, "there is no label 'nowhere'"},
           {"exit\ngoto +0\n", 11, 6, "the jump leaves the function"},
           {"goto -2\nexit\n", 10, 6, "the jump leaves the function"},
           {"goto +32768\n", 10, 6, "the jump's offset does not fit 16 bits"},
           {"gotol +2147483648\n", 10, 7, "the jump's offset does not fit 32 bits"},
           {"gotol +2147483647\n", 10, 7, "the jump leaves the function"},
           {"goto +-1\n", 10, 6, "expected an offset with one sign"},
           {"goto +1\nr1 = 5 ll\nexit\n", 10, 6, "the jump lands in the middle of a wide load"},
           {"x: exit\nx: exit\n", 11, 1, "label 'x' is already defined, line 10"},
           {"goto x\nexit\n  x:\n", 12, 3, "no instruction follows label 'x'"},
           {std::string(64, 'x') + ": exit\n", 10, 1, "a name has at most 63 characters"},
           {"x: y: 5\n", 10, 7, "no instruction starts with '5'"},
           {"call\n", 10, 5, "expected 'bpf_throw' or a helper number or a function name"},
           {"call nobody\n", 10, 6, "there is no function 'nobody'"},
           {"call other\n", 10, 6, "there is no function 'other'"},
           {"call jmp\n", 10, 6, "there is no function 'jmp'"},
           {"call 99999999999\n", 10, 6, "the number does not fit 32 bits"},
           {"callx r1\n", 10, 1, "no instruction starts with 'callx'"},
           {"r1 = nothing ll\n", 10, 6, "there is no array, region or function 'nothing'"},
           {"r1 = data\n", 10, 6,
            "'data' is no operand here; an array, region or function is written"},
           {"r1 = w2\n", 10, 6, "'w2' is no operand here"},
           {"r1 := 2\n", 10, 4, "expected an operator, found ':'"},
           {"r1 = data+8 ll\n", 10, 6, "offset 8 is outside region 'data' of 8 bytes"},
           {"r1 = data+18446744073709551615 ll\n", 10, 6, "is outside region"},
           {"r1 = jmp+1 ll\n", 10, 6, "only a region takes an offset"},
           {"r1 = main+0 ll\n", 10, 6, "only a region takes an offset"},
           {"exit\n.stack 8\n", 11, 1, "between '.function' and its first instruction"},
           {".stack 513\n", 10, 8, "expected a stack depth in bytes from 0 to 512"},
           {".stack 8\n.stack 8\n", 11, 1, "'.stack' stands once"},
           {".repeat 2\nexit\n", 10, 1, "there is no '.end' for this '.repeat'"},
           {".repeat 2\nexit\n.function g\nexit\n.end\n", 10, 1, "there is no '.end'"},
           {".end\n", 10, 1, "there is no '.repeat' for this '.end'"},
           {".repeat 2\n.end\n", 10, 1, "nothing is repeated"},
           {".repeat 0\nexit\n.end\n", 10, 9, "expected how often from 1 to 1000000"},
           {".repeat 2\n.repeat 2\nexit\n.end\n.end\n", 11, 1, "'.repeat' stands in a function"},
           {".repeat 2\nL:\nexit\n.end\n", 11, 1, "no label stands between"},
           {".repeat 2\ngoto +0\n.end\n", 11, 1, "what names a place or an object does not"},
           {".repeat 2\nr1 = jmp ll\n.end\n", 11, 1, "what names a place or an object does not"},
           {".repeat 2\ncall f\n.end\n", 11, 1, "what names a place or an object does not"},
           {".repeat 999999\nexit\n.end\nexit\n", 13, 1, "a case has at most 1000000 slots"},
           {".repeat 1000000\nr1 = 5 ll\n.end\n", 12, 1, "a case has at most 1000000 slots"},
           {"if r1 == 0 goto L\n.repeat 32768\nr0 = 0\n.end\nL:\nexit\n", 10, 17,
            "label 'L' is 32768 slots away: more than 16 bits reach"},
       }) {
    broken.text.insert(0, before);
    expect_error(broken);
  }
}

TEST(CaseErrors, LongAndOddInputIsShortenedInMessages) {
  const Result<Case> result =
      parse_case(".case 1\n.program p\n.function f\ncall " + std::string(100'000, 'a') + "\n");
  ASSERT_FALSE(result.has_value());
  EXPECT_LT(result.error().message.size(), 100u);
}

}  // namespace
}  // namespace plumb
