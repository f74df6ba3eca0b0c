// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "reports/unwind_matrix.h"
#include "reports/unwind_sheet.h"
#include "reports/unwind_svg.h"

namespace plumb::reports {
namespace {

using harness::WalkTally;
using testing::HasSubstr;
using testing::Not;
using unwind::Outcome;
using unwind::Unwinder;

// Right, not reliable, stopped, skipped, wrong, wrong and reliable.
constexpr WalkTally kAllRight{4, 0, 0, 0, 0, 0};
constexpr WalkTally kSkips{0, 2, 0, 1, 0, 0};

// One of each outcome, an instruction that did not run, and texts that are markup.
UnwindMatrix matrix() {
  UnwindMatrix matrix{.jit = "a<b>&\x1b",
                      .unwinders = {Unwinder::kOrc, Unwinder::kDwarf},
                      .functions = {},
                      .tallies = {{1, 1, 1, 1, 1, 1}, {6, 0, 0, 0, 0, 0}},
                      .starts = {},
                      .steps = 6};
  MatrixFunction& function = matrix.functions.emplace_back();
  function.name = "p<0>.\"main\"";
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    function.rows.push_back({.offset = 4 * function.rows.size(),
                             .text = fmt::format("bl <{}> & on", info.name),
                             .outcomes = {info.id, Outcome::kRight}});
  }
  function.rows.push_back({.offset = 0x18,
                           .text = std::string(200, 'w'),  // longer than is drawn
                           .outcomes = {std::nullopt, std::nullopt}});
  return matrix;
}

UnwindSheet sheet() {
  return {.cases = 7,
          .seed = 3,
          .rows = {{.jit = "reference:x",
                    .arch = Arch::kX86_64,
                    .era = "5.2 to 5.4, and <b>",
                    .cases = 6,
                    .left_out = "1 undefined",
                    .unwinders = {Unwinder::kFramePointer, Unwinder::kOrcWithJitRows},
                    .tallies = {kSkips, kAllRight}},
                   {.jit = "linux-r",
                    .arch = Arch::kRiscv64,
                    .era = "6.12.117",
                    .cases = 7,
                    .left_out = "none",
                    .unwinders = {Unwinder::kOrcWithJitRows, Unwinder::kFrameRecord},
                    .tallies = {kAllRight, {0, 1, 1, 0, 2, 0}}}}};
}

// What a picture holds.
struct Drawn {
  pugi::xml_document document;
  double width = 0;
  double height = 0;
  std::map<std::string, int> rects;  // by class
  std::vector<std::string> texts;
};
void collect(const pugi::xml_node& node, Drawn& drawn) {
  for (const pugi::xml_node& child : node.children()) {
    const std::string name = child.name();
    if (name == "rect") {
      ++drawn.rects[child.attribute("class").value()];
      EXPECT_GE(child.attribute("x").as_double(), 0);
      EXPECT_LE(child.attribute("x").as_double() + child.attribute("width").as_double(),
                drawn.width);
      EXPECT_LE(child.attribute("y").as_double() + child.attribute("height").as_double(),
                drawn.height);
    }
    if (name == "text") {
      drawn.texts.emplace_back(child.child_value());
      const std::string anchor = child.attribute("text-anchor").value();
      const bool is_code = std::string_view(child.attribute("class").value()).starts_with("code");
      const double length = (is_code ? 7.3 : 6.5) * static_cast<double>(drawn.texts.back().size());
      const double x = child.attribute("x").as_double();
      EXPECT_LE(anchor == "end" ? x : x + length / (anchor == "middle" ? 2 : 1), drawn.width)
          << drawn.texts.back();
      EXPECT_LT(child.attribute("y").as_double(), drawn.height) << drawn.texts.back();
    }
    collect(child, drawn);
  }
}
void read(const std::string& svg, Drawn& drawn) {
  ASSERT_TRUE(drawn.document.load_string(svg.c_str()));
  const pugi::xml_node root = drawn.document.child("svg");
  drawn.width = root.attribute("width").as_double();
  drawn.height = root.attribute("height").as_double();
  collect(root, drawn);
}

int count(const std::vector<std::string>& texts, const std::string& text) {
  return static_cast<int>(std::ranges::count(texts, text));
}

TEST(UnwindPictures, OfAMatrixHaveACellForEachInstructionAndUnwinder) {
  Drawn drawn;
  read(matrix_svg(matrix(), PictureKind::kDocument), drawn);
  const std::size_t outcomes = unwind::outcome_table().size();
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    const bool is_best = info.id == Outcome::kRight;
    // The legend, the shares, the first unwinder; and six by the second, which is always right.
    EXPECT_EQ(drawn.rects[outcome_class(info.id)], is_best ? 3 + 1 + static_cast<int>(outcomes) : 3)
        << info.name;
    EXPECT_EQ(count(drawn.texts, std::string(1, info.letter)),
              is_best ? 2 + static_cast<int>(outcomes) : 2)
        << info.name;
    EXPECT_EQ(count(drawn.texts, fmt::format("bl <{}> & on", info.name)), 1);
    EXPECT_EQ(count(drawn.texts, fmt::format("{}: {}", info.name, info.sentence)), 1);
  }
  EXPECT_EQ(count(drawn.texts, "33.33 % right, of 6"), 1);
  EXPECT_EQ(count(drawn.texts, "100.00 % right, of 6"), 1);
  EXPECT_EQ(count(drawn.texts, "+0x18"), 1);
  EXPECT_EQ(count(drawn.texts, "p<0>.\"main\""), 1);
}

TEST(UnwindPictures, NeedNothingElseAndAreLightOrDark) {
  for (const std::string& svg :
       {matrix_svg(matrix(), PictureKind::kDocument), sheet_svg(sheet())}) {
    for (const char* word : {"href", "url(", "@import", "<script", "\x1b"}) {
      EXPECT_THAT(svg, Not(HasSubstr(word)));
    }
    EXPECT_THAT(svg, HasSubstr("@media (prefers-color-scheme: dark)"));
    EXPECT_EQ(svg.find("http"), svg.find("http://www.w3.org/2000/svg"));
    EXPECT_EQ(svg.rfind("http"), svg.find("http"));
  }
}

// Each outcome has its colours, in light and in dark.
TEST(UnwindPictures, HaveColoursForEveryOutcome) {
  const std::string style(unwind_style());
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    for (const std::string& name : {outcome_class(info.id), outcome_class(info.id) + "t"}) {
      const std::string definition = fmt::format("--{}: #", name);
      EXPECT_NE(style.find(definition), style.rfind(definition)) << name;
      EXPECT_THAT(style, HasSubstr(fmt::format("svg .{0} {{ fill: var(--{0}); }}", name)));
    }
  }
}

TEST(UnwindPictures, StandInAPageWithTheLegendInWords) {
  const std::string page = matrix_page(matrix());
  EXPECT_THAT(page, HasSubstr(matrix_svg(matrix(), PictureKind::kElement)));
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    EXPECT_THAT(page, HasSubstr(fmt::format("<dd>{}</dd>", info.sentence)));
  }
  for (const Unwinder unwinder : matrix().unwinders) {
    EXPECT_THAT(page,
                HasSubstr(fmt::format("<dd>{}</dd>", unwind::unwinder_info(unwinder).sentence)));
  }
  EXPECT_THAT(page, HasSubstr("<h1>Walks on a&lt;b&gt;&amp;\\x1b</h1>"));
  EXPECT_THAT(page, Not(HasSubstr("<b>&")));
}

TEST(UnwindSheets, HaveAShareAndTheWorstOutcomeForEachUnwinder) {
  Drawn drawn;
  read(sheet_svg(sheet()), drawn);
  EXPECT_EQ(drawn.rects["o0"], 1 + 2);
  EXPECT_EQ(drawn.rects["o3"], 1 + 1);
  EXPECT_EQ(drawn.rects["o4"], 1 + 1);
  EXPECT_EQ(drawn.rects["o5"], 1);
  EXPECT_EQ(count(drawn.texts, "66.66"), 1);
  EXPECT_EQ(count(drawn.texts, "25.00"), 1);
  EXPECT_EQ(count(drawn.texts, "100.00"), 2);
  EXPECT_EQ(count(drawn.texts, "jit-rows"), 2);  // a heading in two lines, for each architecture
  EXPECT_EQ(count(drawn.texts, "5.2 to 5.4"), 1);
}

TEST(UnwindSheets, AreOneTable) {
  const std::string text = sheet_text(sheet());
  EXPECT_EQ(text.substr(text.find("  1  ")),
            "  1  frame-pointer\n"
            "  2  orc-with-jit-rows\n"
            "  3  frame-record\n"
            "\n"
            "JIT            walks       1         2         3\n"
            "reference:x        3   66.66 s  100.00 +\n"
            "linux-r            4            100.00 +   25.00 x\n");
}

TEST(UnwindSheets, SayTheSameInJson) {
  const nlohmann::ordered_json json = sheet_json(sheet());
  EXPECT_EQ(json["cases"], 7);
  EXPECT_EQ(json["seed"], 3);
  ASSERT_EQ(json["jits"].size(), 2u);
  const auto& second = json["jits"][1];
  EXPECT_EQ(second["jit"], "linux-r");
  EXPECT_EQ(second["arch"], "riscv64");
  EXPECT_EQ(second["unwinders"][1]["unwinder"], "frame-record");
  EXPECT_EQ(second["unwinders"][1]["share_right"], 0.25);
  EXPECT_EQ(second["unwinders"][1]["worst"], "wrong");
  EXPECT_EQ(second["unwinders"][1]["stopped"], 1);
}

TEST(UnwindSheets, HaveARowForAJitThatWasNotWalked) {
  UnwindSheet some = sheet();
  some.rows.push_back({.jit = "linux-d",
                       .arch = Arch::kRiscv64,
                       .era = {},
                       .cases = 0,
                       .left_out = "7 violation",
                       .unwinders = {},
                       .tallies = {}});
  EXPECT_TRUE(sheet_text(some).ends_with("25.00 x\nlinux-d            0  left out: 7 violation\n"));
  Drawn drawn;
  read(sheet_svg(some), drawn);
  EXPECT_EQ(count(drawn.texts, "left out: 7 violation"), 1);
  EXPECT_EQ(count(drawn.texts, "linux-d"), 1);
  EXPECT_EQ(sheet_json(some)["jits"][2]["left_out"], "7 violation");
}

TEST(UnwindSheets, SayNothingOfNoWalks) {
  EXPECT_EQ(worst_of(WalkTally{}), std::nullopt);
  EXPECT_EQ(worst_of(kAllRight), Outcome::kRight);
  EXPECT_EQ(worst_of({1, 0, 0, 0, 0, 1}), Outcome::kLie);
}

}  // namespace
}  // namespace plumb::reports
