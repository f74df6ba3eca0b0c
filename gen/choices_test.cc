// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/choices.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <vector>

namespace plumb::gen {
namespace {

TEST(ChoiceStream, ReadsTheBytesFirst) {
  const std::vector<std::uint8_t> bytes{0x00, 0xff, 0x80};
  ChoiceStream choices(bytes);
  EXPECT_EQ(choices.below(16), 0u);
  EXPECT_EQ(choices.below(16), 15u);
  EXPECT_EQ(choices.below(2), 1u);
}

TEST(ChoiceStream, TakesTwoBytesForMoreThanSixteen) {
  const std::vector<std::uint8_t> bytes{0x80, 0x00, 0xff};
  ChoiceStream choices(bytes);
  EXPECT_EQ(choices.below(4096), 2048u);
  EXPECT_EQ(choices.below(16), 15u);
}

TEST(ChoiceStream, TheRestDependsOnAllBytes) {
  const std::vector<std::uint8_t> one{1, 2, 3};
  const std::vector<std::uint8_t> same{1, 2, 3};
  const std::vector<std::uint8_t> other{1, 2, 4};
  const auto after = [](const std::vector<std::uint8_t>& bytes) {
    ChoiceStream choices(bytes);
    for (int i = 0; i < 3; ++i) (void)choices.below(2);
    return choices.word();
  };
  EXPECT_EQ(after(one), after(same));
  EXPECT_NE(after(one), after(other));
}

TEST(ChoiceStream, StaysInBounds) {
  ChoiceStream choices(7);
  for (const std::uint64_t bound : {1ull, 2ull, 16ull, 17ull, 100ull, 4097ull, 1ull << 32}) {
    for (int i = 0; i < 200; ++i) EXPECT_LT(choices.below(bound), bound);
  }
  for (int i = 0; i < 200; ++i) {
    const int drawn = choices.range(-3, 3);
    EXPECT_TRUE(drawn >= -3 && drawn <= 3);
  }
}

TEST(ChoiceStream, WeightedNeverPicksWeightZero) {
  ChoiceStream choices(7);
  constexpr std::array kWeights{0, 3, 0, 1};
  std::map<std::size_t, int> seen;
  for (int i = 0; i < 400; ++i) ++seen[choices.weighted(kWeights)];
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_GT(seen[1], seen[3]);
  EXPECT_GT(seen[3], 0);
}

TEST(ChoiceStream, PicksBitsOfTheSet) {
  ChoiceStream choices(7);
  std::uint32_t seen = 0;
  for (int i = 0; i < 100; ++i) seen |= std::uint32_t{1} << choices.pick_bit(0x8021);
  EXPECT_EQ(seen, 0x8021u);
}

}  // namespace
}  // namespace plumb::gen
