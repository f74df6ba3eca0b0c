// SPDX-License-Identifier: GPL-2.0-or-later
//
// What explain says about the seed corpus on the JITs of three architectures.
#include "reports/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/case_text.h"
#include "harness/corpus.h"
#include "harness/judge.h"
#include "jit_under_test/jit.h"

namespace plumb::reports {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Row {
  const char* arch;
  int least_conforming;  // of the seeds: the others are not applicable
};

std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.arch; }

class ExplainsSeeds : public testing::TestWithParam<Row> {
 protected:
  ExplainsSeeds()
      : jit_(
            std::move(jit::open_jits(PLUMB_PLUGIN_DIR, std::string("linux-6.12-") + GetParam().arch)
                          ->front())) {}

  // Of a case that the JIT's code was run for; else nothing.
  std::string explain(const Case& value) {
    trial_ = judge_.examine(value, *jit_, Depth::kFull);
    if (trial_.image == nullptr) return {};
    return explain_text({.value = &value,
                         .image = &trial_.image->image(),
                         .execution = &trial_.execution,
                         .run = &trial_.run,
                         .judgement = &trial_.judgement});
  }

  std::unique_ptr<jit::Jit> jit_;
  harness::Judge judge_;
  harness::Trial trial_;
};

// Hexadecimal numbers of a text.
std::vector<std::uint64_t> numbers_in(std::string_view text) {
  std::vector<std::uint64_t> numbers;
  for (std::size_t at = 0; (at = text.find("0x", at)) != std::string_view::npos;) {
    std::uint64_t number = 0;
    at += 2;
    if (std::from_chars(text.data() + at, text.data() + text.size(), number, 16).ec ==
        std::errc()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

// Is it an address that this load put something at: code, an array, a stub, a symbol?
bool is_in_use(const Image& image, std::uint64_t number) {
  const std::uint64_t address = code_address(image.arch, number);
  const auto holds = [address](const Range& range) { return range.contains(address); };
  if (std::ranges::any_of(image.code, holds) || std::ranges::any_of(image.arrays, holds)) {
    return true;
  }
  return std::ranges::any_of(image.symbols,
                             [&](const Symbol& symbol) { return symbol.address == address; });
}

TEST_P(ExplainsSeeds, OnTheOraclesPathAndWithoutAddresses) {
  int conforming = 0;
  for (const harness::CorpusFile& file :
       harness::read_corpus(std::vector<std::string>{"corpus/seeds"})) {
    ASSERT_TRUE(file.value) << file.path;
    const std::string text = explain(*file.value);
    if (text.empty()) continue;
    // Kernels let tail calls in callbacks through (corpus/known/tail-call-in-callback-linux.bpf).
    if (file.path.ends_with("out-of-a-callback-by-tail-call.bpf")) {
      EXPECT_EQ(trial_.judgement.verdict, Verdict::kViolation) << file.path;
      continue;
    }
    ASSERT_EQ(trial_.judgement.verdict, Verdict::kConforms) << file.path;
    ++conforming;
    EXPECT_THAT(text, Not(HasSubstr("leaves the oracle's path"))) << file.path;
    EXPECT_THAT(text, HasSubstr("events, as in the oracle\n")) << file.path;
    for (const std::uint64_t number : numbers_in(text)) {
      EXPECT_FALSE(is_in_use(trial_.image->image(), number)) << file.path << ": " << number;
    }
  }
  EXPECT_GE(conforming, GetParam().least_conforming);
}

// A main function that calls one that calls nothing.
constexpr std::string_view kCall =
    ".case 1\n.program entry\n.function main\n.stack 8\n"
    "  r6 = 1\n  *(u64 *)(r10 - 8) = r6\n  r1 = r10\n  call sub\n  r0 = r6\n  exit\n"
    ".function sub\n.stack 8\n  *(u64 *)(r10 - 8) = r1\n  r0 = 0\n  exit\n";
// One that calls a helper and tail-calls another: that one stands in its frame.
constexpr std::string_view kTailCall =
    ".case 1\n.array jmp 1\n.slot jmp 0 other\n.program entry\n.function main\n"
    "  r6 = r1\n  call 7\n  r1 = r6\n  r2 = jmp ll\n  r3 = 0\n  call 12\n  r0 = 0\n  exit\n"
    ".program other\n.function main\n  r0 = 1\n  exit\n"
    ".context 00 00 00 00 00 00 00 00\n";

std::string frames_of(const std::string& text) {
  const std::size_t begin = text.find("Frames");
  return text.substr(begin, text.find("\nCode of", begin) - begin);
}

TEST_P(ExplainsSeeds, DrawsFramesWhereTheyLie) {
  const Result<Case> call = parse_case(std::string(kCall));
  const Result<Case> tail_call = parse_case(std::string(kTailCall));
  ASSERT_TRUE(call && tail_call);
  const std::string seen = frames_of(explain(*call)) + frames_of(explain(*tail_call));
  const std::string golden = std::string("reports/golden/frames-") + GetParam().arch + ".txt";
  if (std::getenv("PLUMB_BLESS") != nullptr) {
    ASSERT_TRUE(harness::write_file(golden, seen));
  }
  std::ifstream file(golden);
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(seen, expected) << "PLUMB_BLESS=1 rewrites " << golden;
}

TEST_P(ExplainsSeeds, NamesWhatCodeCallsAndReads) {
  const Result<Case> call = parse_case(std::string(kCall));
  const Result<Case> tail_call = parse_case(std::string(kTailCall));
  ASSERT_TRUE(call && tail_call);
  EXPECT_THAT(explain(*call), HasSubstr("entry.sub"));
  const std::string text = explain(*tail_call);
  const std::string code = text.substr(text.find("Code of entry.main"));
  EXPECT_THAT(code, HasSubstr("jmp ll"));
  EXPECT_THAT(code, testing::ContainsRegex("\\|.*jmp"));
  EXPECT_THAT(code, testing::ContainsRegex("\\|.*bpf_get_prandom_u32"));
}

INSTANTIATE_TEST_SUITE_P(Linux, ExplainsSeeds,
                         testing::Values(Row{"x86_64", 195}, Row{"arm64", 195},
                                         Row{"riscv64", 131}),
                         [](const auto& row) { return std::string(row.param.arch); });

}  // namespace
}  // namespace plumb::reports
