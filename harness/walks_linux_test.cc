// SPDX-License-Identifier: GPL-2.0-or-later
//
// Rows that were followed from the code of kernel JITs lead to every caller, from every
// instruction: as rows, and as call frame information that libdw reads.
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "harness/walks.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kCases = 60;

TEST(WalksOfLinux, ByRowsAndByCallFramesFindEveryCaller) {
  constexpr unwind::Unwinder kByRows[] = {unwind::Unwinder::kOrcWithJitRows,
                                          unwind::Unwinder::kDwarf};
  const auto jits =
      jit::open_jits(PLUMB_PLUGIN_DIR, "linux-6.12-x86_64,linux-6.12-arm64,linux-6.12-riscv64");
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  ASSERT_EQ(jits->size(), 3u);
  Judge judge;
  for (const auto& jit : *jits) {
    SCOPED_TRACE(jit->info().name);
    std::uint64_t walks = 0;
    for (std::uint64_t n = 0; n < kCases; ++n) {
      const Case value = gen::generate(nth_seed(37, n), nullptr,
                                       jit->info().capabilities & gen::kObeyedCapabilities);
      const Trial trial = judge.examine(value, *jit, Depth::kFull);
      if (trial.stage != Stage::kCompared) continue;
      const WalkReport report = walk_report(trial.image->image(), trial.run, kByRows);
      for (const unwind::Unwinder unwinder : kByRows) {
        const WalkTally tally = report.tally(unwinder);
        const auto right = tally[static_cast<std::size_t>(unwind::Outcome::kRight)];
        EXPECT_EQ(right, std::accumulate(tally.begin(), tally.end(), std::uint64_t{0}))
            << unwind::unwinder_info(unwinder).name << ", case " << n;
        walks += right;
      }
    }
    EXPECT_GT(walks, 10'000u);
  }
}

}  // namespace
}  // namespace plumb::harness
