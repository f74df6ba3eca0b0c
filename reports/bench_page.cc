// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/printable.h"
#include "reports/bench_chart.h"
#include "reports/bench_statistics.h"
#include "reports/markup.h"

namespace plumb::reports {
namespace {

constexpr std::string_view kPageStyle = R"(
body { margin: 0 auto; padding: 24px 20px 60px; max-width: 1180px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 25px; margin: 0 0 8px; }
h2 { font-size: 17px; margin: 40px 0 4px; padding-left: 12px; }
h2 span { font-weight: 400; color: var(--muted); }
p { max-width: 78ch; margin: 8px 12px; }
h1 { padding-left: 12px; }
nav { margin: 16px 12px; line-height: 1.9; }
a { color: var(--body-text); text-decoration: none; margin-right: 12px; white-space: nowrap; }
a:hover { text-decoration: underline; }
.chart { overflow-x: auto; }
svg { display: block; max-width: 100%; min-width: 800px; height: auto; }
)";

bool has_times(const BenchResults& results) {
  return std::ranges::any_of(results.cells, [](const auto& cell) { return !cell.times.empty(); });
}

std::string introduction(const BenchResults& results) {
  std::string out =
      "<p>Each program below ran once under each JIT. Its instructions were counted in an "
      "emulator, "
      "so that the counts are the same everywhere: those of the <b>frame</b> (prologue, epilogue, "
      "tail calls, calls), for which the frame layout decides, and those of the <b>body</b>, for "
      "which the program decides. Oldest layouts stand first.</p>\n";
  if (has_times(results)) {
    out += fmt::format(
        "<p>The time of one call was taken natively{}. The bar ends at the median of the "
        "repetitions; the box holds the middle half of them, the thin line all. Layouts whose "
        "boxes overlap are not known to differ.{}</p>\n",
        results.processor.empty()
            ? ""
            : fmt::format(" on {}", escape_markup(printable(results.processor))),
        results.loop_times.empty()
            ? ""
            : fmt::format(" The measuring loop itself takes {:.2f} ns, which is part of each time.",
                          spread_of(results.loop_times).median));
  }
  return out;
}

}  // namespace

std::string bench_page(const BenchResults& results) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>What BPF frames cost</title>\n<style>\n{}{}</style>\n</head>\n<body>\n"
      "<h1>What BPF frames cost</h1>\n{}<nav>\n",
      bench_chart_style(), kPageStyle, introduction(results));
  for (const auto& shape : results.shapes) {
    out += fmt::format("<a href=\"#{0}\">{0}</a>\n", escape_markup(shape.name));
  }
  out += "</nav>\n";
  for (std::size_t s = 0; s < results.shapes.size(); ++s) {
    out += fmt::format(
        "<h2 id=\"{0}\">{0} <span>{1}</span></h2>\n<div class=\"chart\">\n{2}</div>\n",
        escape_markup(results.shapes[s].name), escape_markup(results.shapes[s].description),
        bench_chart(results, s, ChartKind::kElement));
  }
  return out + "</body>\n</html>\n";
}

}  // namespace plumb::reports
