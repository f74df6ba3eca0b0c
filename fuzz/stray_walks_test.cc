// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/stray_walks.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "core/rng.h"

namespace plumb::fuzz {
namespace {

// Walks are found to end, to go on for some frames, and to be lost.
TEST(StrayWalks, EndWhateverStandsOnTheStack) {
  StrayWalks sum;
  for (std::uint64_t n = 0; n < 3000; ++n) {
    std::array<std::uint8_t, 64> bytes{};
    Rng rng(nth_seed(7, n));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
    const StrayWalks seen = walk_astray(bytes);
    sum.walks += seen.walks;
    sum.ended += seen.ended;
    sum.frames += seen.frames;
  }
  EXPECT_GT(sum.walks, 3000u * 3);
  EXPECT_GT(sum.ended, sum.walks / 100);
  EXPECT_LT(sum.ended, sum.walks);
  EXPECT_GT(sum.frames, sum.walks / 2);
}

TEST(StrayWalks, NoBytesAreAStackToo) { EXPECT_GT(walk_astray({}).walks, 0u); }

}  // namespace
}  // namespace plumb::fuzz
