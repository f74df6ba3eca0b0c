// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "reports/bench_statistics.h"

namespace plumb::reports {
namespace {

std::vector<FigureChange> changes(const harness::FrameFigures& before,
                                  const harness::FrameFigures& after) {
  std::vector<FigureChange> out;
  for (const harness::FigureRow& row : harness::kFigures) {
    if (before.*row.member == after.*row.member) continue;
    out.push_back({.figure = row.name, .before = before.*row.member, .after = after.*row.member});
  }
  return out;
}

template <typename Named>
std::optional<std::size_t> index_of(const std::vector<Named>& list, std::string_view name) {
  const auto it = std::ranges::find(list, name, &Named::name);
  if (it == list.end()) return std::nullopt;
  return static_cast<std::size_t>(it - list.begin());
}

ShapeComparison compare(const std::string& shape, const Measured& a, const Measured& b) {
  ShapeComparison out;
  out.shape = shape;
  if (a.figures && b.figures) {
    out.first = a.figures;
    out.second = b.figures;
    out.figures = changes(*a.figures, *b.figures);
  }
  out.has_times = !a.times.empty() && !b.times.empty();
  if (!out.has_times) return out;
  out.first_median = spread_of(a.times).median;
  out.second_median = spread_of(b.times).median;
  out.probability = rank_test(a.times, b.times);
  // The least probability that so many samples can have: all of one before all of the other.
  std::vector<double> low(a.times.size());
  std::vector<double> high(b.times.size());
  for (std::size_t i = 0; i < low.size(); ++i) low[i] = static_cast<double>(i);
  for (std::size_t i = 0; i < high.size(); ++i) high[i] = static_cast<double>(low.size() + i);
  out.too_few = rank_test(low, high) >= kSignificance;
  return out;
}

}  // namespace

bool ShapeComparison::times_differ() const { return has_times && probability < kSignificance; }

Result<std::vector<ShapeComparison>> compare_layouts(const BenchResults& results,
                                                     std::string_view first,
                                                     std::string_view second) {
  const auto a = index_of(results.layouts, first);
  const auto b = index_of(results.layouts, second);
  if (!a || !b) {
    return fail(fmt::format("'{}' is not among the JITs that were measured", a ? second : first));
  }
  std::vector<ShapeComparison> out;
  out.reserve(results.shapes.size());
  for (std::size_t i = 0; i < results.shapes.size(); ++i) {
    out.push_back(compare(results.shapes[i].name, results.at(i, *a), results.at(i, *b)));
  }
  return out;
}

BaselineComparison compare_with(const BenchResults& baseline, const BenchResults& results) {
  BaselineComparison out;
  for (std::size_t s = 0; s < results.shapes.size(); ++s) {
    for (std::size_t l = 0; l < results.layouts.size(); ++l) {
      const std::string& shape = results.shapes[s].name;
      const std::string& layout = results.layouts[l].name;
      const auto old_shape = index_of(baseline.shapes, shape);
      const auto old_layout = index_of(baseline.layouts, layout);
      if (!old_shape || !old_layout) continue;
      const auto& before = baseline.at(*old_shape, *old_layout).figures;
      const auto& after = results.at(s, l).figures;
      if (!before) continue;
      if (!after) {
        out.lost.push_back(fmt::format("{} {}", layout, shape));
        continue;
      }
      ++out.compared;
      for (const FigureChange& change : changes(*before, *after)) {
        (change.after > change.before ? out.grown : out.shrunk)
            .push_back({.layout = layout, .shape = shape, .change = change});
      }
    }
  }
  return out;
}

}  // namespace plumb::reports
