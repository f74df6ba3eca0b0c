// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pugixml.hpp>
#include <string>

#include "reports/bench_chart.h"
#include "reports/bench_comparison.h"
#include "reports/bench_json.h"
#include "reports/bench_page.h"
#include "reports/bench_text.h"

namespace plumb::reports {
namespace {

using testing::HasSubstr;
using testing::Not;

harness::FrameFigures some_figures() {
  return {.instructions = 7,
          .frame = 6,
          .prologue = 4,
          .epilogue = 2,
          .tail_calls = 0,
          .calls = 0,
          .stack_loads = 2,
          .stack_stores = 1,
          .branches = 1,
          .code_bytes = 21,
          .stack_bytes = 8};
}

BenchResults some_results() {
  BenchResults results;
  results.processor = "A <fast> one";
  results.loop_times = {0.5, 0.75};
  results.shapes = {{.name = "empty", .description = "returns 0 & no more"},
                    {.name = "r6", .description = "uses R6"}};
  results.layouts = {{.name = "reference:x86_64-4.13", .arch = Arch::kX86_64, .era = "4.13 to 5.1"},
                     {.name = "linux-\"mine\"-x86_64", .arch = Arch::kX86_64, .era = "6.12"},
                     {.name = "linux-6.12-arm64", .arch = Arch::kArm64, .era = "6.12"}};
  results.cells.resize(6);
  for (Measured& cell : results.cells) {
    cell.figures = some_figures();
    cell.no_times = "arm64 code does not run here";
  }
  for (const std::size_t layout : {0U, 1U}) {
    Measured& cell = results.at(0, layout);
    cell.no_times.clear();
    for (int i = 0; i < 9; ++i) cell.times.push_back(1.0 + 0.25 * i + (layout == 1 ? 0.125 : 0));
  }
  Measured& last = results.at(1, 2);
  last.figures.reset();
  last.no_figures = "not applicable: a \"reason\"";
  return results;
}

TEST(BenchJson, IsReadAsItWasWritten) {
  BenchResults results = some_results();
  for (Measured& cell : results.cells) {
    for (double& time : cell.times) time = 1.5;  // is rounded
  }
  const auto read = read_bench_json(bench_json(results), "file");
  ASSERT_TRUE(read) << read.error().str();
  EXPECT_EQ(*read, results);
}

TEST(BenchJson, SaysWhatIsWrong) {
  const std::string good = bench_json(some_results());
  const auto error = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const auto read = read_bench_json(text, "file");
    return read ? "none" : read.error().str();
  };
  EXPECT_EQ(error("\"bench\"", "\"check\""), "file: no JSON of plumb bench: another command");
  EXPECT_EQ(error("\"version\": 1", "\"version\": 2"),
            "file: no JSON of plumb bench: another version");
  EXPECT_EQ(error("\"shape\": \"empty\"", "\"shape\": \"full\""),
            "file: no JSON of plumb bench: 'full' is not listed");
  EXPECT_EQ(error("\"instructions\": 7", "\"instructions\": -7"),
            "file: no JSON of plumb bench: instructions is no count");
  EXPECT_THAT(error("\"instructions\"", "\"others\""), HasSubstr("key 'instructions' not found"));
  EXPECT_THAT(error("{", "["), HasSubstr("file: no JSON of plumb bench: at byte"));
  EXPECT_FALSE(read_bench_json("", "file"));
}

TEST(BenchResults, AreSelectedByName) {
  const BenchResults results = some_results();
  const auto all = select(results, "all", "all");
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, results);
  const auto some = select(results, "linux-*,reference:x86_64-4.13", "r6");
  ASSERT_TRUE(some);
  EXPECT_EQ(some->layouts, results.layouts);
  ASSERT_EQ(some->cells.size(), 3);
  EXPECT_EQ(some->cells.back(), results.at(1, 2));
  EXPECT_EQ(select(results, "linux-*,none", "all").error().message,
            "the results have no JIT 'none'");
  EXPECT_EQ(select(results, "all", "").error().message, "the results have no shape ''");
}

TEST(BenchComparison, NamesEveryFigureThatGrew) {
  const BenchResults before = some_results();
  BenchResults after = before;
  EXPECT_TRUE(compare_with(before, after).holds());
  EXPECT_EQ(compare_with(before, after).compared, 5);
  after.at(1, 0).figures->stack_bytes = 16;
  after.at(1, 0).figures->instructions = 6;
  const BaselineComparison grown = compare_with(before, after);
  EXPECT_FALSE(grown.holds());
  EXPECT_EQ(baseline_text(grown),
            "grew: reference:x86_64-4.13 r6: stack_bytes 8 -> 16\n"
            "shrank: reference:x86_64-4.13 r6: instructions 7 -> 6\n"
            "baseline: 5 compared, 1 figures grew, 1 shrank, 0 lost\n");
  after = before;
  after.at(1, 0).figures.reset();
  EXPECT_FALSE(compare_with(before, after).holds());
  EXPECT_THAT(baseline_text(compare_with(before, after)),
              HasSubstr("lost: reference:x86_64-4.13 r6: "));
  // What the baseline does not have is new, and nothing to compare.
  after = before;
  after.layouts[0].name = "another";
  EXPECT_EQ(compare_with(before, after).compared, 3);
}

TEST(BenchComparison, TellsADifferenceFromTheSpread) {
  BenchResults results = some_results();
  const std::string a = results.layouts[0].name;
  const std::string b = results.layouts[1].name;
  auto compared = compare_layouts(results, a, b);
  ASSERT_TRUE(compared);
  EXPECT_FALSE(compared->front().times_differ());
  EXPECT_THAT(
      comparison_text(*compared, a, b),
      HasSubstr(
          "7 instructions, 8 bytes of stack, 21 of code, 2.00 -> 2.12 ns: within the spread"));
  for (double& time : results.at(0, 1).times) time += 2;
  results.at(0, 1).figures->branches = 2;
  compared = compare_layouts(results, a, b);
  EXPECT_TRUE(compared->front().times_differ());
  EXPECT_THAT(comparison_text(*compared, a, b), HasSubstr("also branches_taken 1 -> 2\n"));
  EXPECT_THAT(comparison_text(*compared, a, b), HasSubstr(" 2.00 -> 4.12 ns: x 2.06 (p < 0.0001)"));
  results.at(0, 0).times.resize(2);
  results.at(0, 1).times.resize(2);
  compared = compare_layouts(results, a, b);
  EXPECT_THAT(comparison_text(*compared, a, b), HasSubstr("too few repetitions"));
  EXPECT_FALSE(compare_layouts(results, a, "none"));
}

TEST(BenchText, HasALineForEachLayoutThatTakesTheShape) {
  const std::string text = bench_text(some_results());
  EXPECT_THAT(text, HasSubstr("empty: returns 0 & no more\n"));
  EXPECT_THAT(text, HasSubstr("2.00 (1.50 to 2.50)"));
  EXPECT_THAT(text, HasSubstr("left out: linux-6.12-arm64: not applicable: a \"reason\""));
}

TEST(BenchChart, IsOneDocumentForEachShape) {
  const BenchResults results = some_results();
  for (const std::size_t shape : {0U, 1U}) {
    pugi::xml_document document;
    const std::string svg = bench_chart(results, shape, ChartKind::kDocument);
    ASSERT_TRUE(document.load_string(svg.c_str())) << svg;
    EXPECT_EQ(document.select_nodes("//text[@class='heading']").size(), 2);
    EXPECT_EQ(document.select_nodes("//rect[@class='frame']").size(), shape == 0 ? 3 : 2);
    EXPECT_EQ(document.select_nodes("//path[@class='median']").size(), shape == 0 ? 2 : 0);
  }
}

TEST(BenchPage, NeedsNothingElse) {
  const std::string page = bench_page(some_results());
  EXPECT_THAT(page, HasSubstr("on A &lt;fast&gt; one"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_EQ(page.find("href=\""), page.find("href=\"#"));
  pugi::xml_document document;
  const std::size_t body = page.find("<body>");
  EXPECT_TRUE(document.load_string(page.substr(body, page.rfind("</html>") - body).c_str()));
}

}  // namespace
}  // namespace plumb::reports
