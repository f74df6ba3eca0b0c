// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "core/check.h"

namespace plumb::reports {
namespace {

constexpr std::size_t kMostExact = 20;

double quantile(const std::vector<double>& sorted, double part) {
  const double at = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

// In how many of how many pairs the first is greater; ties count one half.
double greater_pairs(std::span<const double> a, std::span<const double> b) {
  double pairs = 0;
  for (const double x : a) {
    for (const double y : b) pairs += x > y ? 1.0 : x == y ? 0.5 : 0.0;
  }
  return pairs;
}

// Sum of t^3 - t over the groups of equal values; 0: no ties.
double ties_of(std::span<const double> a, std::span<const double> b) {
  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  std::ranges::sort(all);
  double ties = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    while (end < all.size() && all[end] == all[i]) ++end;
    const auto size = static_cast<double>(end - i);
    ties += size * size * size - size;
    i = end;
  }
  return ties;
}

// The share of the orders of n and m samples in which at most `most` pairs have the first greater.
double exact_share(std::size_t n, std::size_t m, std::size_t most) {
  // orders[i][u] of the row j: i samples of one, j of the other, u such pairs. The last in order is
  // one of the i, greater than all j, or one of the j.
  std::vector<std::vector<double>> orders(n + 1, std::vector<double>(n * m + 1, 0.0));
  for (std::size_t i = 0; i <= n; ++i) orders[i][0] = 1.0;
  for (std::size_t j = 1; j <= m; ++j) {
    for (std::size_t i = 1; i <= n; ++i) {
      std::vector<double> sum = orders[i];
      for (std::size_t u = j; u <= n * m; ++u) sum[u] += orders[i - 1][u - j];
      orders[i] = std::move(sum);
    }
  }
  double all = 0;
  double few = 0;
  for (std::size_t u = 0; u <= n * m; ++u) {
    all += orders[n][u];
    if (u <= most) few += orders[n][u];
  }
  return few / all;
}

}  // namespace

Spread spread_of(std::span<const double> samples) {
  PLUMB_CHECK(!samples.empty());
  std::vector<double> sorted(samples.begin(), samples.end());
  std::ranges::sort(sorted);
  return {.least = sorted.front(),
          .lower = quantile(sorted, 0.25),
          .median = quantile(sorted, 0.5),
          .upper = quantile(sorted, 0.75),
          .greatest = sorted.back()};
}

double rank_test(std::span<const double> a, std::span<const double> b) {
  PLUMB_CHECK(!a.empty() && !b.empty());
  const auto n = static_cast<double>(a.size());
  const auto m = static_cast<double>(b.size());
  const double pairs = greater_pairs(a, b);
  const double fewer = std::min(pairs, n * m - pairs);
  const double ties = ties_of(a, b);
  if (ties == 0 && a.size() <= kMostExact && b.size() <= kMostExact) {
    return std::min(1.0, 2 * exact_share(a.size(), b.size(), static_cast<std::size_t>(fewer)));
  }
  const double count = n + m;
  const double variance = n * m / 12 * (count + 1 - ties / (count * (count - 1)));
  if (variance <= 0) return 1.0;
  const double distance = std::max(0.0, n * m / 2 - fewer - 0.5) / std::sqrt(variance);
  return std::min(1.0, std::erfc(distance / std::numbers::sqrt2));
}

}  // namespace plumb::reports
