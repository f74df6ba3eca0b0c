// SPDX-License-Identifier: GPL-2.0-or-later
//
// Layouts of the reference JIT whose contracts do not say what we know: no false alarm, and what
// can be found all the same is found. With --whole over 20,000 cases; PLUMB_BLESS=1 in the
// environment rewrites the list of the defects that are found.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "harness/kill_matrix.h"
#include "harness/testing_stranger.h"
#include "invariants/invariants.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using jit::reference::DefectInfo;
using jit::reference::LayoutRow;

bool g_whole = false;

constexpr const char* kFoundFile = "harness/golden/stranger_defects.txt";
constexpr std::uint64_t kFullEvery = 8;

Depth depth_of(std::uint64_t n) { return n % kFullEvery == 0 ? Depth::kFull : Depth::kFast; }

std::unique_ptr<jit::Jit> open_layout(std::string_view layout, std::string_view defect = {}) {
  auto jit = jit::reference::open(
      fmt::format("reference:{}{}{}", layout, defect.empty() ? "" : "+", defect));
  EXPECT_TRUE(jit.has_value());
  return *std::move(jit);
}

// What strangers were judged to do.
struct Tally {
  std::uint64_t cases = 0;
  std::uint64_t compared = 0;
  std::uint64_t known_wrong = 0;  // findings that the layout shows with its words, too
  struct Row {
    std::uint64_t held = 0;
    std::map<std::string_view, std::uint64_t> not_applicable{};
  };
  std::vector<Row> rows{invariants::invariant_table().size()};

  void add(const Outcome& outcome) {
    ++cases;
    compared += outcome.stage == Stage::kCompared;
    for (std::size_t i = 0; i < outcome.judgement.answers.size(); ++i) {
      const RowAnswer& answer = outcome.judgement.answers[i];
      rows[i].held += answer.kind == RowAnswer::Kind::kHeld;
      if (answer.kind != RowAnswer::Kind::kNotApplicable) continue;
      ++rows[i].not_applicable[reason_phrase(answer.reason)];
    }
  }
  [[nodiscard]] std::string text() const {
    std::string text =
        fmt::format("{} cases, {} compared, {} known findings\n", cases, compared, known_wrong);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      text +=
          fmt::format("  {:36} held {:>6}", invariants::invariant_table()[i].name, rows[i].held);
      for (const auto& [reason, count] : rows[i].not_applicable) {
        text += fmt::format("; {} {}", count, reason);
      }
      text += '\n';
    }
    return text;
  }
};

std::string listing(const Judgement& judgement) {
  std::string text = fmt::format("{} {}\n", verdict_name(judgement.verdict), judgement.reason);
  for (const Violation& violation : judgement.violations) {
    text += fmt::format("{} ({}): {}\n", violation.invariant, violation.role, violation.message);
  }
  return text;
}

// Judges so many cases in each layout. A finding is a false alarm where the layout that says all
// conforms.
void judge_strangers(std::span<const Word> words, std::uint64_t seed, std::uint64_t cases,
                     Tally& tally) {
  Judge judge;
  for (const LayoutRow& layout : jit::reference::layout_table()) {
    const auto jit = stranger(open_layout(layout.name), words);
    for (std::uint64_t n = 0; n < cases; ++n) {
      const Case value = gen::generate(nth_seed(seed, n));
      const Outcome outcome = judge.judge(value, *jit, depth_of(n));
      tally.add(outcome);
      if (!is_finding(outcome.judgement)) continue;
      const auto known = open_layout(layout.name);
      const bool is_wrong = is_finding(judge.judge(value, *known, depth_of(n)).judgement);
      tally.known_wrong += is_wrong;
      EXPECT_TRUE(is_wrong) << layout.name << ", seed " << seed << ", case " << n << ": "
                            << listing(outcome.judgement);
    }
  }
}

TEST(Stranger, OneThatSaysNothingGivesNoFalseAlarm) {
  Tally tally;
  judge_strangers(all_words(), 1, g_whole ? 1060 : 30, tally);
  fmt::print("nothing said: {}", tally.text());
  EXPECT_GT(tally.compared, tally.cases / 4);
}

TEST(Stranger, OneThatLeavesAWordOutGivesNoFalseAlarm) {
  for (const Word& word : all_words()) {
    SCOPED_TRACE(std::string(word.name));
    Tally tally;
    judge_strangers({&word, 1}, 3, g_whole ? 160 : 6, tally);
    fmt::print("without {}: {} cases, {} compared, {} known findings\n", word.name, tally.cases,
               tally.compared, tally.known_wrong);
    EXPECT_GT(tally.compared, 0u);
  }
}

// What held without a word must hold with it: no row claims more for knowing less.
TEST(Stranger, NoRowHoldsThatDoesNotHoldWithAllWords) {
  Judge judge;
  for (const LayoutRow& layout : jit::reference::layout_table()) {
    const auto known = open_layout(layout.name);
    for (std::uint64_t n = 0; n < (g_whole ? 400 : 12); ++n) {
      const Case value = gen::generate(nth_seed(4, n));
      const Judgement said = judge.judge(value, *known, Depth::kFull).judgement;
      // Where the bound of tail calls is broken, and that is not seen, the run goes on.
      if (is_finding(said)) continue;
      const auto& with = said.answers;
      const auto quiet = stranger(open_layout(layout.name), all_words());
      const auto without = judge.judge(value, *quiet, Depth::kFull).judgement.answers;
      if (with.size() != without.size()) continue;  // not applicable
      for (std::size_t row = 0; row < with.size(); ++row) {
        EXPECT_TRUE(without[row].kind != RowAnswer::Kind::kHeld ||
                    with[row].kind == RowAnswer::Kind::kHeld)
            << layout.name << ", case " << n << ": " << invariants::invariant_table()[row].name;
      }
    }
  }
}

// ---- the defects that need no word ----

// The first invariant that tells the defect in a stranger, or nothing. In a layout that is known to
// be wrong a finding counts where the layout alone shows none.
std::string found_by(const DefectInfo& defect, std::uint64_t cases) {
  Judge judge;
  for (const std::string& layout : layouts_for(defect)) {
    const auto broken = stranger(open_layout(layout, defect.name), all_words());
    const auto alone = stranger(open_layout(layout), all_words());
    const bool is_wrong = !jit::reference::find_layout(layout)->traits.known_wrong.empty();
    for (std::uint64_t n = 0; n < cases; ++n) {
      const Case value = gen::generate(nth_seed(1, n));
      const Judgement judgement = judge.judge(value, *broken, depth_of(n)).judgement;
      if (!is_finding(judgement)) continue;
      if (is_wrong && is_finding(judge.judge(value, *alone, depth_of(n)).judgement)) continue;
      return judgement.signature.invariant;
    }
  }
  return {};
}

TEST(Stranger, DefectsThatNeedNoWordAreFound) {
  std::string text;
  int found = 0;
  int all = 0;
  for (const DefectInfo& defect : jit::reference::defect_table()) {
    const std::string invariant = found_by(defect, g_whole ? 6000 : 150);
    text += fmt::format("{:30} {}\n", defect.name, invariant.empty() ? "-" : invariant);
    found += !invariant.empty();
    ++all;
  }
  fmt::print("{} of {} defects are found where nothing is said\n{}", found, all,
             g_whole ? text : std::string());
  if (g_whole) return;  // the list is that of fewer cases
  std::ifstream file(kFoundFile);
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  if (std::getenv("PLUMB_BLESS") != nullptr) std::ofstream(kFoundFile) << text;
  EXPECT_EQ(text, expected) << "PLUMB_BLESS=1 rewrites " << kFoundFile;
}

// ---- whatever a contract says ----

TEST(Stranger, WhateverAContractSaysACaseIsJudged) {
  const auto layouts = jit::reference::layout_table();
  Judge judge;
  std::uint64_t compared = 0;
  for (std::uint64_t n = 0; n < (g_whole ? 20'000u : 400u); ++n) {
    SCOPED_TRACE(n);
    const auto jit = talker(open_layout(layouts[n % layouts.size()].name), nth_seed(7, n));
    const Outcome outcome = judge.judge(gen::generate(nth_seed(6, n)), *jit, depth_of(n));
    EXPECT_NE(outcome.judgement.verdict, Verdict::kNotJudged);
    EXPECT_NE(outcome.judgement.verdict, Verdict::kCrash) << listing(outcome.judgement);
    compared += outcome.stage == Stage::kCompared;
  }
  EXPECT_GT(compared, 0u);
}

}  // namespace
}  // namespace plumb::harness

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    plumb::harness::g_whole |= std::string_view(argv[i]) == "--whole";
  }
  return RUN_ALL_TESTS();
}
