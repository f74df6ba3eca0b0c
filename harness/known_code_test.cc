// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/known_code.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/case_text.h"

namespace plumb::harness {
namespace {

Waiver waiver_for(std::string code) {
  return {.signature = "*.x.x86_64.main",
          .jits = "x",
          .like = {},
          .code = std::move(code),
          .reason = "why"};
}

Case with_code(std::string_view code) {
  const Result<Case> value =
      parse_case(".case 1\n.program p\n.function main\n" + std::string(code) + "exit\n");
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return value.value_or(Case{});
}

struct Row {
  const char* name;
  const char* pattern;
  const char* code;
  const char* without;  // null: has no such code
};

TEST(KnownCode, IsFoundByItsTextAndTakenOut) {
  const Row rows[] = {
      {"an operator", "_/=_w", "r1 /= r2\nw1 /= w2\nw1 /= 2\n", "r1 /= r2\nw1 /= 2\n"},
      {"a register with itself", "[rw](.)_<<=_[rw]\\1", "r1 <<= r2\nr3 <<= r3\n", "r1 <<= r2\n"},
      {"the first instruction", "^0:r", "r1 = 1\nr1 = 2\n", "r1 = 2\n"},
      {"another place", "^0:w", "r1 = 1\nw1 = 2\n", nullptr},
      {"two slots", "_ll", "r1 = 7 ll\nr2 = 1\n", "r2 = 1\n"},
      {"a jump over it", "_/=_w", "if r1 > r2 goto x\nw1 /= w2\nx: r0 = 1\n",
       "if r1 > r2 goto x\nx: r0 = 1\n"},
      {"a condition", "if_.._&_", "if r1 & 5 goto x\nr2 = 1\nx: r0 = 1\n",
       "goto +0\nif r1 == 5 goto x\nr2 = 1\nx: r0 = 1\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Case value = with_code(row.code);
    const std::vector<NamedWaiver> waivers{{.name = "w", .waiver = waiver_for(row.pattern)}};
    EXPECT_EQ(has_code_of(waivers[0].waiver, value), row.without != nullptr);
    EXPECT_EQ(print_case(without_code_of(waivers, value)),
              print_case(with_code(row.without != nullptr ? row.without : row.code)));
  }
}

TEST(KnownCode, OfSeveralWaiversGoesTogether) {
  const std::vector<NamedWaiver> waivers{{.name = "a", .waiver = waiver_for("_/=_")},
                                         {.name = "b", .waiver = waiver_for("_%=_")},
                                         {.name = "c", .waiver = waiver_for("")}};
  EXPECT_EQ(print_case(without_code_of(waivers, with_code("r1 /= r2\nr1 %= r2\nr1 = 3\n"))),
            print_case(with_code("r1 = 3\n")));
  EXPECT_TRUE(has_code_of(waivers[2].waiver, with_code("r1 = 3\n")));
}

TEST(KnownCode, MakesTheSignatureAGlob) {
  const Signature signature{
      .invariant = "same-result", .family = "x", .arch = "x86_64", .role = "main"};
  EXPECT_TRUE(covers(waiver_for("_/=_"), signature, "x"));
  EXPECT_FALSE(covers(waiver_for(""), signature, "x"));
  EXPECT_FALSE(covers(waiver_for("_/=_"), signature, "y"));
}

}  // namespace
}  // namespace plumb::harness
