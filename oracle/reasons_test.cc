// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table of reasons: every row says what decides it, docs/what-is-defined.md shows it, and an
// undefined run tells what exactly it was. PLUMB_BLESS=1 in the environment rewrites the document.
#include "oracle/reasons.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

constexpr const char* kDocument = "docs/what-is-defined.md";
constexpr std::string_view kBegin = "<!-- reasons.inc: begin -->\n\n";
constexpr std::string_view kEnd = "<!-- reasons.inc: end -->\n";

// "check_cfg()", "f(), g()", "f() of syscall.c"
bool names_a_function(std::string_view where) {
  const std::size_t parentheses = where.find("()");
  return parentheses != std::string_view::npos && parentheses > 0;
}

TEST(Reasons, EachNamesTheFunctionThatDecidesItInBothVersions) {
  for (const Reason reason : all_reasons()) {
    const ReasonInfo& info = reason_info(reason);
    SCOPED_TRACE(info.phrase);
    EXPECT_FALSE(info.note.empty());
    EXPECT_EQ(info.note.find('|'), std::string_view::npos);
    for (const std::string_view where : {info.in_6_1, info.in_6_12}) {
      const bool runs = where.empty();
      EXPECT_TRUE(runs || names_a_function(where)) << where;
      // What the verifier refuses, some function refuses; what nothing refuses is no rule of Linux.
      EXPECT_FALSE(runs && info.kind == ReasonKind::kRefused);
    }
  }
}

TEST(Reasons, WhatDiffersBetweenVersionsNamesItsFieldOfTheContract) {
  int rows = 0;
  for (const Reason reason : all_reasons()) {
    const ReasonInfo& info = reason_info(reason);
    if (info.kind != ReasonKind::kContract) continue;
    ++rows;
    const bool named = info.note.find("chain_rounding") != std::string_view::npos ||
                       info.note.find("tail_call_in_callback") != std::string_view::npos;
    EXPECT_TRUE(named) << info.phrase;
  }
  EXPECT_EQ(rows, 3);
}

TEST(Reasons, TheDocumentShowsTheTable) {
  std::ifstream file(kDocument);
  ASSERT_TRUE(file.is_open()) << kDocument;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t first = begin + kBegin.size();
  if (std::getenv("PLUMB_BLESS") != nullptr) {
    std::ofstream(kDocument) << text.substr(0, first) << reasons_markdown() << text.substr(end);
    GTEST_SKIP() << "blessed";
  }
  EXPECT_EQ(text.substr(first, end - first), reasons_markdown())
      << "PLUMB_BLESS=1 rewrites " << kDocument;
}

TEST(Reasons, OnlyBlindSpotsAreSaidToBeSome) {
  EXPECT_TRUE(run_text(in_main("r0 = *(u64 *)(r10 - 8)\nexit")).blind_spot);
  EXPECT_FALSE(run_text(in_main("r0 = r2\nexit")).blind_spot);
  EXPECT_FALSE(run_text(in_main("r0 = 0\nexit")).blind_spot);
}

struct Detail {
  std::string_view text;
  std::string_view detail;
};

TEST(UndefinedDetail, SaysWhatAndWhere) {
  const Detail rows[] = {
      {".program entry\n.function main\nr0 = 0\ncall 999\nexit\n",
       "helper 999 in entry.main at slot 1 is not mocked"},
      {".program entry\n.function main\nr0 = *(u64 *)(r10 - 8)\nexit\n",
       "entry.main at slot 0: r0 = *(u64 *)(r10 - 8)"},
      {".program entry\n.function main\ncall f\nexit\n.function f\nr0 = 0\nif r3 > 5 goto "
       "out\nout:\nexit\n",
       "entry.f at slot 1: if r3 > 5 goto L2"},
      {".program entry\n.function main\n.stack 256\ncall f\nexit\n.function f\n.stack 300\nexit\n",
       "560 bytes at the entry of entry.f at slot 0"},
      {".array jmp 1\n.program entry\n.function main\n.stack 256\ncall f\nexit\n.function f\n"
       "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit\n",
       "256 bytes above entry.f at slot 3"},
  };
  for (const Detail& row : rows) {
    SCOPED_TRACE(row.text);
    const Execution execution = run_text(row.text);
    EXPECT_FALSE(execution.defined);
    EXPECT_EQ(execution.undefined_detail, row.detail);
  }
  EXPECT_EQ(run_text(in_main("r0 = 0\nexit")).undefined_detail, "");
}

// What the parser refuses already.
TEST(UndefinedDetail, SaysWhatIsWrongWithAnEncoding) {
  Case value = case_of(".program entry\n.function main\nr0 = 1\nr0 = 0\nexit\n");
  value.programs[0].functions[0].insns[1] = {
      .opcode = 0xff, .dst = 1, .src = 2, .offset = 3, .immediate = -4};
  const Execution execution = run(value, {});
  EXPECT_EQ(execution.undefined_reason, reason_phrase(Reason::kUnknownInstruction));
  EXPECT_EQ(
      execution.undefined_detail,
      "opcode 0xff with destination 1, source 2, offset 3, immediate -4 in entry.main at slot 1");
}

}  // namespace
}  // namespace plumb::oracle
