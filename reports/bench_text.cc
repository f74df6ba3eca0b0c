// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/printable.h"
#include "reports/bench_statistics.h"

namespace plumb::reports {
namespace {

std::string time_text(const Measured& cell) {
  if (cell.times.empty()) return "-";
  const Spread spread = spread_of(cell.times);
  return fmt::format("{:.2f} ({:.2f} to {:.2f})", spread.median, spread.lower, spread.upper);
}

std::string row_text(const std::string& layout, std::size_t width, const Measured& cell) {
  std::string out = fmt::format("  {:<{}}", printable(layout), width);
  if (cell.figures) {
    const harness::FrameFigures& figures = *cell.figures;
    const std::uint64_t all = std::max<std::uint64_t>(figures.instructions, 1);
    out += fmt::format(" {:>6} {:>6} {:>4}% {:>6} {:>6} {:>6} {:>6} {:>6}", figures.instructions,
                       figures.frame, (100 * figures.frame + all / 2) / all, figures.stack_loads,
                       figures.stack_stores, figures.branches, figures.code_bytes,
                       figures.stack_bytes);
  } else {
    out += fmt::format(" {:>53}", printable(cell.no_figures, 53));
  }
  return out + fmt::format("  {}\n", time_text(cell));
}

bool is_applicable(const Measured& cell) {
  return !cell.no_figures.starts_with("not applicable") || !cell.times.empty();
}

// "name, name: why", a line for each reason.
std::string reasons_text(const std::map<std::string, std::vector<std::string>>& reasons,
                         std::string_view what) {
  std::string out;
  for (const auto& [reason, layouts] : reasons) {
    out += fmt::format("  {} {}: {}\n", what,
                       layouts.size() == 1 ? printable(layouts.front())
                                           : fmt::format("{} layouts", layouts.size()),
                       printable(reason));
  }
  return out;
}

std::string shape_text(const BenchResults& results, std::size_t s) {
  std::size_t width = 0;
  for (const auto& layout : results.layouts) width = std::max(width, layout.name.size());
  std::string out = fmt::format(
      "{}: {}\n  {:<{}} {:>6} {:>6} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6}  "
      "{}\n",
      results.shapes[s].name, results.shapes[s].description, "", width, "insns", "frame", "share",
      "loads", "stores", "taken", "code", "stack", "median of the times in ns (quartiles)");
  std::map<std::string, std::vector<std::string>> skipped;
  std::map<std::string, std::vector<std::string>> untimed;
  for (std::size_t l = 0; l < results.layouts.size(); ++l) {
    const Measured& cell = results.at(s, l);
    const std::string& name = results.layouts[l].name;
    if (!is_applicable(cell)) {
      skipped[cell.no_figures].push_back(name);
      continue;
    }
    out += row_text(name, width, cell);
    if (cell.times.empty()) untimed[cell.no_times].push_back(name);
  }
  return out + reasons_text(skipped, "left out:") + reasons_text(untimed, "no times:") + "\n";
}

std::string change_text(const FigureChange& change) {
  return fmt::format("{} {} -> {}", change.figure, change.before, change.after);
}

// What the first line of a comparison has, changed or not.
struct Headline {
  std::uint64_t harness::FrameFigures::* member;
  std::string_view format;  // "stack {} bytes"
};
constexpr Headline kHeadlines[] = {{&harness::FrameFigures::instructions, "{} instructions"},
                                   {&harness::FrameFigures::stack_bytes, "{} bytes of stack"},
                                   {&harness::FrameFigures::code_bytes, "{} of code"}};

std::string times_text(const ShapeComparison& shape) {
  if (!shape.has_times) return {};
  const std::string medians =
      fmt::format(", {:.2f} -> {:.2f} ns", shape.first_median, shape.second_median);
  if (shape.too_few) return medians + ": too few repetitions to tell";
  if (!shape.times_differ()) {
    return fmt::format("{}: within the spread (p {:.2f})", medians, shape.probability);
  }
  constexpr double kLeast = 0.0001;
  return fmt::format("{}: x {:.2f} (p {}{:.4f})", medians, shape.ratio(),
                     shape.probability < kLeast ? "< " : "", std::max(shape.probability, kLeast));
}

std::string headline_text(const ShapeComparison& shape) {
  std::string out;
  if (!shape.first) return "no counted figures of both";
  for (const Headline& headline : kHeadlines) {
    const std::uint64_t before = *shape.first.*headline.member;
    const std::uint64_t after = *shape.second.*headline.member;
    const std::string values =
        before == after ? fmt::format("{}", before) : fmt::format("{} -> {}", before, after);
    out += (out.empty() ? "" : ", ") + fmt::format(fmt::runtime(headline.format), values);
  }
  return out;
}

// The figures that differ and are not in the headline.
std::string others_text(const ShapeComparison& shape) {
  std::string out;
  for (const FigureChange& change : shape.figures) {
    const bool is_shown = std::ranges::any_of(kHeadlines, [&](const Headline& headline) {
      const auto row =
          std::ranges::find(harness::kFigures, headline.member, &harness::FigureRow::member);
      return row->name == change.figure;
    });
    if (!is_shown) out += (out.empty() ? "" : ", ") + change_text(change);
  }
  return out;
}

}  // namespace

std::string bench_text(const BenchResults& results) {
  std::string out;
  for (std::size_t s = 0; s < results.shapes.size(); ++s) out += shape_text(results, s);
  if (!results.processor.empty()) out += fmt::format("times on {}\n", results.processor);
  if (!results.loop_times.empty()) {
    out += fmt::format("the measuring loop takes {:.2f} ns of each time\n",
                       spread_of(results.loop_times).median);
  }
  return out;
}

std::string comparison_text(std::span<const ShapeComparison> shapes, const std::string& first,
                            const std::string& second) {
  std::string out = fmt::format("{} -> {}: what differs\n", printable(first), printable(second));
  for (const ShapeComparison& shape : shapes) {
    if (!shape.first && !shape.has_times) {
      out += fmt::format("  {:<17} not measured under both\n", shape.shape);
      continue;
    }
    out += fmt::format("  {:<17} {}{}\n", shape.shape, headline_text(shape), times_text(shape));
    const std::string others = others_text(shape);
    if (!others.empty()) out += fmt::format("  {:<17} also {}\n", "", others);
  }
  return out;
}

std::string baseline_text(const BaselineComparison& comparison) {
  std::string out;
  for (const Growth& growth : comparison.grown) {
    out += fmt::format("grew: {} {}: {}\n", printable(growth.layout), growth.shape,
                       change_text(growth.change));
  }
  for (const std::string& lost : comparison.lost) {
    out += fmt::format("lost: {}: the baseline has figures, now there are none\n", printable(lost));
  }
  for (const Growth& growth : comparison.shrunk) {
    out += fmt::format("shrank: {} {}: {}\n", printable(growth.layout), growth.shape,
                       change_text(growth.change));
  }
  return out + fmt::format("baseline: {} compared, {} figures grew, {} shrank, {} lost\n",
                           comparison.compared, comparison.grown.size(), comparison.shrunk.size(),
                           comparison.lost.size());
}

}  // namespace plumb::reports
