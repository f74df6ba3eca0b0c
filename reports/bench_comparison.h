// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "reports/bench_results.h"

namespace plumb::reports {

// A counted figure that is not the same in both.
struct FigureChange {
  std::string_view figure;
  std::uint64_t before = 0;
  std::uint64_t after = 0;

  bool operator==(const FigureChange&) const = default;
};

// Two layouts in one shape.
struct ShapeComparison {
  std::string shape;
  std::optional<harness::FrameFigures> first;  // with both, or none
  std::optional<harness::FrameFigures> second;
  std::vector<FigureChange> figures;  // exact: all that differ
  bool has_times = false;             // of both
  double first_median = 0;            // nanoseconds
  double second_median = 0;
  double probability = 1;  // of the rank test (statistics.h)
  // Too few repetitions for the test to find any difference.
  bool too_few = false;

  [[nodiscard]] double ratio() const { return second_median / first_median; }
  // Do the times differ beyond their spread?
  [[nodiscard]] bool times_differ() const;
};
// An error: one of them is not in the results.
[[nodiscard]] Result<std::vector<ShapeComparison>> compare_layouts(const BenchResults& results,
                                                                   std::string_view first,
                                                                   std::string_view second);

// A counted figure that is greater than it was.
struct Growth {
  std::string layout;
  std::string shape;
  FigureChange change;

  bool operator==(const Growth&) const = default;
};
struct BaselineComparison {
  std::vector<Growth> grown;
  std::vector<Growth> shrunk;
  std::size_t compared = 0;       // cells with figures in both
  std::vector<std::string> lost;  // "LAYOUT SHAPE": figures in the baseline, none now

  // Nothing grew, and nothing that was counted cannot be counted any more.
  [[nodiscard]] bool holds() const { return grown.empty() && lost.empty(); }
};
[[nodiscard]] BaselineComparison compare_with(const BenchResults& baseline,
                                              const BenchResults& results);

}  // namespace plumb::reports
