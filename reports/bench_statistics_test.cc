// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace plumb::reports {
namespace {

using Samples = std::vector<double>;

TEST(Spread, HasTheQuartiles) {
  EXPECT_EQ(spread_of(Samples{5, 1, 3, 2, 4}),
            (Spread{.least = 1, .lower = 2, .median = 3, .upper = 4, .greatest = 5}));
  EXPECT_EQ(spread_of(Samples{7}),
            (Spread{.least = 7, .lower = 7, .median = 7, .upper = 7, .greatest = 7}));
  EXPECT_EQ(spread_of(Samples{1, 2}).median, 1.5);
}

// Of the C(n+m, n) orders, all equally probable: twice the share of those that are as extreme.
TEST(RankTest, CountsOrdersOfFewSamples) {
  // 1 of 20 orders has no pair.
  EXPECT_DOUBLE_EQ(rank_test(Samples{1, 2, 3}, Samples{4, 5, 6}), 2.0 / 20);
  // 1 of 126 ...
  EXPECT_DOUBLE_EQ(rank_test(Samples{1, 2, 3, 4}, Samples{5, 6, 7, 8, 9}), 2.0 / 126);
  // ... and none, one and two pairs: 1 + 1 + 2 orders.
  EXPECT_DOUBLE_EQ(rank_test(Samples{1, 2, 3, 6}, Samples{4, 5, 7, 8, 9}), 2.0 * 4 / 126);
  EXPECT_DOUBLE_EQ(rank_test(Samples{6, 3, 2, 1}, Samples{9, 5, 4, 7, 8}), 2.0 * 4 / 126);
  EXPECT_DOUBLE_EQ(rank_test(Samples{4, 5, 7, 8, 9}, Samples{1, 2, 3, 6}), 2.0 * 4 / 126);
}

TEST(RankTest, FindsNoDifferenceWhereThereIsNone) {
  EXPECT_DOUBLE_EQ(rank_test(Samples{1, 4, 5, 8}, Samples{2, 3, 6, 7}), 1.0);
  EXPECT_DOUBLE_EQ(rank_test(Samples{3, 3, 3}, Samples{3, 3, 3}), 1.0);
}

// Reckoned apart, by midranks, with the formula of the textbooks.
TEST(RankTest, CorrectsTheApproximationForTies) {
  const double p =
      rank_test(Samples{1, 1, 2, 2, 3, 3, 4, 4, 5}, Samples{4, 4, 5, 5, 6, 6, 7, 7, 8});
  EXPECT_NEAR(p, 0.0018003723033901146, 1e-6);
}

TEST(RankTest, ApproximatesForManySamples) {
  Samples a;
  Samples b;
  for (int i = 0; i < 25; ++i) {
    a.push_back(i);
    b.push_back(i + 0.5);
  }
  EXPECT_NEAR(rank_test(a, b), 0.8158901548607471, 1e-6);
}

}  // namespace
}  // namespace plumb::reports
