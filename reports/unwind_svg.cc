// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/unwind_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/printable.h"
#include "reports/markup.h"

namespace plumb::reports {
namespace {

using harness::WalkTally;
using unwind::Outcome;
using unwind::OutcomeInfo;

constexpr double kMargin = 16;
constexpr double kTitle = 40;
constexpr double kShareRow = 20;
constexpr double kHeading = 34;  // of a function
constexpr double kRow = 17;
constexpr double kCell = 22;  // from column to column
constexpr double kShareBar = 260;
constexpr double kShareName = 190;
constexpr double kLeastWidth = 720;
constexpr double kCharacter = 7.3;  // of the code
constexpr std::size_t kMostCode = 120;

std::uint64_t sum_of(const WalkTally& tally) {
  return std::accumulate(tally.begin(), tally.end(), std::uint64_t{0});
}

// A bar of all walks, in which each outcome has its part.
std::string share_bar(double x, double y, const WalkTally& tally) {
  std::string out;
  const auto all = static_cast<double>(std::max<std::uint64_t>(sum_of(tally), 1));
  std::uint64_t before = 0;
  for (const OutcomeInfo& info : unwind::outcome_table()) {
    const std::uint64_t count = tally[static_cast<std::size_t>(info.id)];
    if (count == 0) continue;
    const double left = static_cast<double>(before) / all * kShareBar;
    const double width = static_cast<double>(count) / all * kShareBar;
    out += fmt::format("<g><title>{}: {} of {}</title>{}</g>\n", info.name, count, sum_of(tally),
                       outcome_rect(x + left, y, width, 12, info.id));
    before += count;
  }
  return out;
}

class MatrixPicture {
 public:
  explicit MatrixPicture(const UnwindMatrix& matrix) : matrix_(matrix) {}

  Picture draw() {
    body_ = outcome_legend(kMargin, y_);
    y_ += kLegendRow * static_cast<double>(unwind::outcome_table().size()) + 10;
    for (std::size_t i = 0; i < matrix_.unwinders.size(); ++i) add_share(i);
    for (const MatrixFunction& function : matrix_.functions) add(function);
    return {.title = fmt::format("Walks from every instruction, on {}", printable(matrix_.jit, 60)),
            .width = width_,
            .height = y_ + kMargin,
            .body = std::move(body_)};
  }

 private:
  void add_share(std::size_t i) {
    const double baseline = y_ + kShareRow - 6;
    const WalkTally& tally = matrix_.tallies[i];
    body_ += text_element(kMargin + 15, baseline, fmt::format("{}", i + 1), "number",
                          "text-anchor=\"end\"");
    body_ += text_element(kMargin + 24, baseline, unwind::unwinder_info(matrix_.unwinders[i]).name,
                          "label");
    const double bar = kMargin + 24 + kShareName;
    body_ += share_bar(bar, y_ + 4, tally);
    body_ += text_element(bar + kShareBar + 10, baseline,
                          fmt::format("{:.2f} % right, of {}", right_percent(tally), sum_of(tally)),
                          "number");
    y_ += kShareRow;
  }

  void add(const MatrixFunction& function) {
    y_ += kHeading;
    const double code = kMargin + kCell * static_cast<double>(matrix_.unwinders.size());
    body_ += text_element(code + 62, y_ - 7, printable(function.name, 100), "heading");
    for (std::size_t i = 0; i < matrix_.unwinders.size(); ++i) {
      body_ += text_element(kMargin + kCell * (static_cast<double>(i) + 0.5), y_ - 7,
                            fmt::format("{}", i + 1), "muted", "text-anchor=\"middle\"");
    }
    for (const MatrixRow& row : function.rows) add(row, code);
  }

  void add(const MatrixRow& row, double code) {
    const double baseline = y_ + kRow - 4.5;
    double x = kMargin;
    bool ran = false;
    for (std::size_t i = 0; i < row.outcomes.size(); ++i, x += kCell) {
      if (!row.outcomes[i]) continue;
      ran = true;
      const OutcomeInfo& info = unwind::outcome_info(*row.outcomes[i]);
      body_ += fmt::format("<g><title>{}: {}</title>{}{}</g>\n",
                           unwind::unwinder_info(matrix_.unwinders[i]).name, info.name,
                           outcome_rect(x + 1, y_ + 0.5, kCell - 2, kRow - 1, info.id),
                           text_element(x + kCell / 2, baseline, std::string(1, info.letter),
                                        "letter " + outcome_class(info.id) + "t"));
    }
    const std::string text = printable(row.text, kMostCode);
    const std::string_view shade = ran ? "code" : "code idle";
    body_ += text_element(code + 52, baseline, fmt::format("+{:#x}", row.offset), shade,
                          "text-anchor=\"end\"");
    body_ += text_element(code + 62, baseline, text, shade);
    const double right = code + 62 + kCharacter * static_cast<double>(text.size()) + kMargin;
    width_ = std::max(width_, right);
    y_ += kRow;
  }

  const UnwindMatrix& matrix_;
  double y_ = kTitle;
  double width_ = kLeastWidth;
  std::string body_;
};

constexpr std::string_view kPageStyle = R"(
body { margin: 0 auto; padding: 24px 20px 60px; max-width: 1180px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 25px; margin: 0 0 8px; }
h2 { font-size: 17px; margin: 32px 0 4px; }
p { max-width: 78ch; }
dt { font-weight: 600; margin-top: 8px; }
dt b { display: inline-block; min-width: 1.6em; text-align: center; border-radius: 3px; }
dd { margin: 0 0 0 2.2em; max-width: 78ch; }
.picture { overflow-x: auto; }
)";

std::string box_style() {
  std::string out;
  for (const OutcomeInfo& info : unwind::outcome_table()) {
    const std::string name = outcome_class(info.id);
    out += fmt::format("b.{0} {{ background: var(--{0}); color: var(--{0}t); }}\n", name);
  }
  return out;
}

std::string words(const UnwindMatrix& matrix) {
  std::string out = "<h2>The letters</h2>\n<dl>\n";
  for (const OutcomeInfo& info : unwind::outcome_table()) {
    out += fmt::format("<dt><b class=\"{}\">{}</b> {}</dt><dd>{}</dd>\n", outcome_class(info.id),
                       escape_markup(std::string(1, info.letter)), escape_markup(info.name),
                       escape_markup(info.sentence));
  }
  out += "</dl>\n<h2>The unwinders</h2>\n<dl>\n";
  for (std::size_t i = 0; i < matrix.unwinders.size(); ++i) {
    const unwind::UnwinderInfo& info = unwind::unwinder_info(matrix.unwinders[i]);
    out += fmt::format("<dt><b>{}</b> {}</dt><dd>{}</dd>\n", i + 1, escape_markup(info.name),
                       escape_markup(info.sentence));
  }
  return out + "</dl>\n";
}

}  // namespace

std::string_view unwind_style() {
  return R"(:root { color-scheme: light dark; --page: #ffffff; --text: #1c2128; --muted: #69717c; --rule: #d4d9e0;
  --o0: #b5dfbd; --o0t: #14401f; --o1: #dcebb8; --o1t: #38450c; --o2: #dde1e6; --o2t: #333b45;
  --o3: #fbdf9f; --o3t: #59400a; --o4: #f3b4ab; --o4t: #6b150b; --o5: #b8102b; --o5t: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --text: #e4e8ed; --muted: #939ca8; --rule: #343b44;
  --o0: #23562f; --o0t: #cdf0d4; --o1: #47521b; --o1t: #e5efc2; --o2: #3a424c; --o2t: #d5dbe2;
  --o3: #6b5012; --o3t: #fbe6b6; --o4: #7c2b22; --o4t: #fbd3cc; --o5: #f0405c; --o5t: #1a0308; } }
svg text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--text); }
svg .title { font-weight: 600; font-size: 15px; }
svg .heading { font-weight: 600; font-size: 13px; }
svg .muted { fill: var(--muted); font-size: 11.5px; }
svg .number { font-size: 11.5px; font-variant-numeric: tabular-nums; }
svg .code { font: 12px "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace; white-space: pre; }
svg .idle { fill: var(--muted); }
svg .letter { font: 600 12px "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace; text-anchor: middle; }
svg .rule { stroke: var(--rule); }
svg .page { fill: var(--page); }
svg .o0 { fill: var(--o0); } svg .o0t { fill: var(--o0t); }
svg .o1 { fill: var(--o1); } svg .o1t { fill: var(--o1t); }
svg .o2 { fill: var(--o2); } svg .o2t { fill: var(--o2t); }
svg .o3 { fill: var(--o3); } svg .o3t { fill: var(--o3t); }
svg .o4 { fill: var(--o4); } svg .o4t { fill: var(--o4t); }
svg .o5 { fill: var(--o5); } svg .o5t { fill: var(--o5t); }
)";
}

std::string outcome_class(Outcome outcome) {
  return fmt::format("o{}", static_cast<std::size_t>(outcome));
}

std::string text_element(double x, double y, std::string_view text, std::string_view classes,
                         std::string_view more) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\"{}{}>{}</text>\n", x, y, classes,
                     more.empty() ? "" : " ", more, escape_markup(text));
}

std::string outcome_rect(double x, double y, double width, double height, Outcome outcome) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"/>", x, y,
      width, height, outcome_class(outcome));
}

std::string outcome_legend(double x, double y) {
  std::string out;
  for (const OutcomeInfo& info : unwind::outcome_table()) {
    out += outcome_rect(x, y + 1, 20, 16, info.id) + "\n";
    out += text_element(x + 10, y + 13, std::string(1, info.letter),
                        "letter " + outcome_class(info.id) + "t");
    out += text_element(x + 28, y + 13, fmt::format("{}: {}", info.name, info.sentence), "label");
    y += kLegendRow;
  }
  return out;
}

std::string picture_svg(const Picture& picture, PictureKind kind) {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"{2}\">\n",
      picture.width, picture.height, escape_markup(picture.title));
  if (kind == PictureKind::kDocument) {
    out += fmt::format("<style>\n{}</style>\n", unwind_style());
    out += fmt::format("<rect width=\"{:.0f}\" height=\"{:.0f}\" class=\"page\"/>\n", picture.width,
                       picture.height);
  }
  out += text_element(kMargin, 24, picture.title, "title");
  return out + picture.body + "</svg>\n";
}

std::string matrix_svg(const UnwindMatrix& matrix, PictureKind kind) {
  return picture_svg(MatrixPicture(matrix).draw(), kind);
}

std::string matrix_page(const UnwindMatrix& matrix) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Walks on {0}</title>\n<style>\n{1}{2}{3}</style>\n</head>\n<body>\n"
      "<h1>Walks on {0}</h1>\n<p>Each unwinder starts from every instruction that ran, with the "
      "registers of that moment, as an interrupt there would have it begin. What it finds is held "
      "against the calls that were in progress. Of several visits the worst counts; what is "
      "grey did not run.</p>\n<div class=\"picture\">\n{4}</div>\n{5}</body>\n</html>\n",
      escape_markup(printable(matrix.jit, 100)), unwind_style(), kPageStyle, box_style(),
      matrix_svg(matrix, PictureKind::kElement), words(matrix));
}

}  // namespace plumb::reports
