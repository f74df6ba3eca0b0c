// SPDX-License-Identifier: GPL-2.0-or-later
//
// orc-fp-range believes what a JIT says about its frame pointer. Said rightly, every walk that
// calls itself reliable is right; said wrongly, one is seen to be wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/amended_jit.h"
#include "harness/judge.h"
#include "harness/walks.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kCases = 20;

struct Claim {
  std::uint32_t later_begin = 0;  // bytes
  std::uint32_t later_end = 0;
  bool is_empty = false;
};

std::uint32_t offset_behind(const Image& image, const NativeFunction& function,
                            std::span<const std::uint8_t> pattern) {
  const auto code = image.placement.bytes(function.address, function.size);
  const auto found = std::ranges::search(code, pattern);
  return static_cast<std::uint32_t>(found.end() - code.begin());
}

// From behind "mov rbp, rsp" to behind the first "leave", as do_jit() of Linux 7.2 means it.
void claim(Image& image, const Claim& claim) {
  constexpr std::array<std::uint8_t, 3> kMovRbpRsp{0x48, 0x89, 0xe5};
  constexpr std::array<std::uint8_t, 1> kLeave{0xc9};
  for (NativeFunction& function : image.functions) {
    function.fp_begin = offset_behind(image, function, kMovRbpRsp) + claim.later_begin;
    function.fp_end = offset_behind(image, function, kLeave) + claim.later_end;
    if (claim.is_empty) function.fp_end = function.fp_begin - 1;
  }
}

WalkTally walk_under(const Claim& said) {
  const auto real = jit::reference::open("reference:x86_64-6.12");
  EXPECT_TRUE(real.has_value());
  AmendedJit jit(**real, {.image = [&said](Image& image) { claim(image, said); }});
  constexpr unwind::Unwinder kBelieving[] = {unwind::Unwinder::kOrcFpRange};
  Judge judge;
  WalkTally sum{};
  for (std::uint64_t n = 0; n < kCases; ++n) {
    const Case value = gen::generate(nth_seed(5, n));
    const Trial trial = judge.examine(value, jit, Depth::kFull);
    if (trial.stage != Stage::kCompared) continue;
    const WalkTally tally =
        walk_report(trial.image->image(), trial.run, kBelieving).tally(kBelieving[0]);
    for (std::size_t i = 0; i < tally.size(); ++i) sum[i] += tally[i];
  }
  return sum;
}

std::uint64_t count(const WalkTally& tally, unwind::Outcome outcome) {
  return tally[static_cast<std::size_t>(outcome)];
}

TEST(FramePointerRange, SaidRightlyIsBelievedRightly) {
  const WalkTally tally = walk_under({});
  EXPECT_EQ(count(tally, unwind::Outcome::kLie), 0u);
  EXPECT_GT(count(tally, unwind::Outcome::kRight), 1'000u);
}

// What the offset of a kCFI preamble does to it: "ret" is in the range, and leave is behind it.
TEST(FramePointerRange, ThatReachesBehindLeaveMakesALie) {
  const WalkTally tally = walk_under({.later_begin = 16, .later_end = 16});
  EXPECT_GT(count(tally, unwind::Outcome::kLie), 0u);
}

// What Linux 7.2.13 and 7.3.4 say: the end is an offset in the epilogue, not in the function.
TEST(FramePointerRange, ThatIsEmptyMakesNothingReliable) {
  const WalkTally tally = walk_under({.is_empty = true});
  EXPECT_EQ(count(tally, unwind::Outcome::kRight), 0u);
  EXPECT_EQ(count(tally, unwind::Outcome::kLie), 0u);
  EXPECT_GT(count(tally, unwind::Outcome::kNotReliable), 1'000u);
}

}  // namespace
}  // namespace plumb::harness
