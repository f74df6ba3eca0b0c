// SPDX-License-Identifier: GPL-2.0-or-later
// The coverage gate of the generator: no pair of features that the default shapes do not reach.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "gen/generate.h"
#include "gen/testing_coverage.h"

namespace plumb::gen {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

constexpr std::uint64_t kCases = 20'000;

TEST(PairCoverage, HasEveryPairInTheDefaultShapes) {
  PairCoverage coverage;
  for (std::uint64_t seed = 0; seed < kCases; ++seed) coverage.add(generate(seed));
  fmt::print("parts in 10,000 of {} functions of {} cases\n{}", coverage.functions(), kCases,
             coverage.table());
  EXPECT_THAT(coverage.missing(), IsEmpty());
  EXPECT_THAT(coverage.impossible(), IsEmpty());
}

TEST(PairCoverage, SeesWhatOneShapeAloneDoesNotReach) {
  PairCoverage coverage;
  const Shape* shape = find_shape("alu");
  for (std::uint64_t seed = 0; seed < 200; ++seed) coverage.add(generate(seed, shape));
  EXPECT_THAT(coverage.missing(), Contains("main function x tail call by a constant"));
  EXPECT_THAT(coverage.missing(), Contains("callback x helper"));
}

TEST(PairCoverage, OfNothingIsNothing) {
  const PairCoverage coverage;
  EXPECT_THAT(coverage.missing(), Contains("subprogram x R6 to R9"));
  EXPECT_THAT(coverage.impossible(), IsEmpty());
}

}  // namespace
}  // namespace plumb::gen
