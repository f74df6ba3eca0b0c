// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>

namespace plumb::reports {

// Of samples that are not empty; quartiles by linear interpolation.
struct Spread {
  double least = 0;
  double lower = 0;  // a quarter of the samples lies below
  double median = 0;
  double upper = 0;
  double greatest = 0;

  bool operator==(const Spread&) const = default;
};
[[nodiscard]] Spread spread_of(std::span<const double> samples);

// The two-sided rank test of Mann and Whitney, which Google Benchmark's compare.py uses too: how
// probable it is that two such samples of one and the same distribution differ as much in rank.
// Neither is empty. Exact for up to 20 samples each without ties; else the normal approximation
// with corrections for ties and continuity.
[[nodiscard]] double rank_test(std::span<const double> a, std::span<const double> b);

// Below this two samples are said to differ, as in compare.py.
inline constexpr double kSignificance = 0.05;

}  // namespace plumb::reports
