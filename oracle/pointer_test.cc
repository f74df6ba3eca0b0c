// SPDX-License-Identifier: GPL-2.0-or-later
//
// What pointers give where they are allowed: comparisons, differences, copies.
#include <fmt/core.h>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

struct Comparison {
  std::string_view condition;  // on r2 and r3
  std::string_view goes_for;   // one letter for each pair below that takes the branch
};

// Pairs of pointers into one object: below, equal, above.
struct Pair {
  char name;
  std::int32_t first;
  std::int32_t second;
};
constexpr Pair kPairs[] = {{'b', 3, 8}, {'e', 8, 8}, {'a', 8, 3}, {'B', -5, 4}, {'A', 4, -5}};

constexpr Comparison kComparisons[] = {
    {"r2 == r3", "e"},   {"r2 != r3", "baBA"}, {"r2 < r3", "bB"},
    {"r2 <= r3", "beB"}, {"r2 > r3", "aA"},    {"r2 >= r3", "eaA"},
};

TEST(Pointers, CompareInTheOrderOfTheirAddresses) {
  for (const char* object : {"r1", "r10", "big ll"}) {
    for (const Comparison& comparison : kComparisons) {
      for (const Pair& pair : kPairs) {
        SCOPED_TRACE(fmt::format("{} {} {}", object, comparison.condition, pair.name));
        const bool goes = comparison.goes_for.find(pair.name) != std::string_view::npos;
        expect_returns(
            run_text(in_main(fmt::format("r2 = {0}\nr3 = {0}\nr2 += {1}\nr3 += {2}\n"
                                         "r0 = 2\nif {3} goto out\nr0 = 1\nout:\nexit",
                                         object, pair.first, pair.second, comparison.condition))),
            goes ? 2 : 1);
      }
    }
  }
}

TEST(Pointers, AreNeverNull) {
  struct Row {
    std::string_view condition;
    bool goes;
  };
  constexpr Row kRows[] = {{"r2 == 0", false}, {"r2 != 0", true},   {"r2 == r4", false},
                           {"r2 != r4", true}, {"r4 == r2", false}, {"r4 != r2", true}};
  for (const char* object : {"r1", "r10", "big ll"}) {
    for (const Row& row : kRows) {
      SCOPED_TRACE(fmt::format("{} {}", object, row.condition));
      expect_returns(run_text(in_main(
                         fmt::format("r2 = {}\nr4 = 0\nr0 = 2\nif {} goto out\nr0 = 1\nout:\nexit",
                                     object, row.condition))),
                     row.goes ? 2 : 1);
    }
  }
}

TEST(Pointers, SubtractToADistance) {
  for (const char* object : {"r1", "r10", "big ll"}) {
    for (const Pair& pair : kPairs) {
      expect_returns(run_text(in_main(fmt::format(
                         "r2 = {0}\nr3 = {0}\nr2 += {1}\nr3 += {2}\nr2 -= r3\nr0 = r2\nexit",
                         object, pair.first, pair.second))),
                     static_cast<std::uint64_t>(std::int64_t{pair.first} - pair.second));
    }
  }
}

// A frame pointer of a caller stays good all the way down, and comes back as a result.
TEST(Pointers, OfCallersWorkInCallees) {
  expect_returns(run_text(R"(
.program p
.function main
        *(u64 *)(r10 - 8) = 40
        r1 = r10
        r2 = r10
        r2 += -8
        call first
        r1 = *(u64 *)(r0 + 0)
        r0 -= r10
        r0 += r1
        exit
.function first
        r1 -= r2
        *(u64 *)(r10 - 8) = r2
        call second
        r0 = *(u64 *)(r10 - 8)
        exit
.function second
        r3 = *(u64 *)(r2 + 0)
        r3 += r1
        *(u64 *)(r2 + 0) = r3
        exit
)"),
                 40);
}

}  // namespace
}  // namespace plumb::oracle
