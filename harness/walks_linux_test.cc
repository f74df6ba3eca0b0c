// SPDX-License-Identifier: GPL-2.0-or-later
//
// Rows that were followed from the code of kernel JITs lead to every caller, from every
// instruction: as rows, and as call frame information that libdw reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/case_text.h"
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
        // Where an exception callback on x86-64 has the boundary's stack pointer and not yet its
        // frame pointer, its own code does not tell where that stands.
        const bool has_gap = jit->info().arch == Arch::kX86_64;
        EXPECT_EQ(right + (has_gap ? trial.run.throws.size() : 0),
                  std::accumulate(tally.begin(), tally.end(), std::uint64_t{0}))
            << unwind::unwinder_info(unwinder).name << ", case " << n;
        walks += right;
      }
    }
    EXPECT_GT(walks, 10'000u);
  }
}

// The sum over generated cases under one JIT.
WalkTally sum_of(const char* name, unwind::Unwinder unwinder) {
  WalkTally sum{};
  const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, name);
  EXPECT_TRUE(jits.has_value());
  Judge judge;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    jit::Jit& jit = *jits->front();
    const Case value =
        gen::generate(nth_seed(38, n), nullptr, jit.info().capabilities & gen::kObeyedCapabilities);
    const Trial trial = judge.examine(value, jit, Depth::kFull);
    if (trial.stage != Stage::kCompared) continue;
    // An exception callback that has the boundary's stack pointer, and not yet its frame pointer,
    // is in no frame at all.
    if (!trial.run.throws.empty()) continue;
    const WalkTally tally =
        walk_report(trial.image->image(), trial.run, {&unwinder, 1}).tally(unwinder);
    for (std::size_t i = 0; i < tally.size(); ++i) sum[i] += tally[i];
  }
  return sum;
}
std::uint64_t count(const WalkTally& tally, unwind::Outcome outcome) {
  return tally[static_cast<std::size_t>(outcome)];
}

// arch/riscv/kernel/stacktrace.c: a leaf may have saved the frame pointer alone.
TEST(WalksOfLinux, TheLeafRuleOfRiscv64FindsWherePlainRecordsStop) {
  const auto plain = sum_of("linux-6.12-riscv64", unwind::Unwinder::kFrameRecord);
  const auto leaf = sum_of("linux-6.12-riscv64", unwind::Unwinder::kFrameRecordFromRegisters);
  EXPECT_EQ(count(plain, unwind::Outcome::kLost), 0u);
  EXPECT_GT(count(plain, unwind::Outcome::kStopped), 0u);
  EXPECT_EQ(count(leaf, unwind::Outcome::kLost), 0u);
  EXPECT_EQ(count(leaf, unwind::Outcome::kStopped), 0u);
  EXPECT_GT(count(leaf, unwind::Outcome::kNotReliable),
            count(plain, unwind::Outcome::kNotReliable));
}

// "Every stack with a JITed BPF frame is unreliable" to ORC; what it finds is right all the same,
// or misses the caller.
TEST(WalksOfLinux, OrcIsRightOrSkipsTheCallerAndIsNeverReliable) {
  const auto orc = sum_of("linux-6.12-x86_64", unwind::Unwinder::kOrc);
  EXPECT_EQ(count(orc, unwind::Outcome::kRight), 0u);
  EXPECT_GT(count(orc, unwind::Outcome::kNotReliable), 0u);
  EXPECT_GT(count(orc, unwind::Outcome::kSkipped), 0u);
  EXPECT_EQ(count(orc, unwind::Outcome::kStopped) + count(orc, unwind::Outcome::kLost) +
                count(orc, unwind::Outcome::kLie),
            0u);
}

// Position by position, what the fallback gives in the prologue and the epilogue of x86-64.
TEST(WalksOfLinux, OrcLosesTheCallerBeforeTheFrameIsSetUpAndBehindLeave) {
  constexpr const char* kText = R"(.case 1
.program entry
.function main
        r6 = r1
        r1 = 5
        call sub
        r0 += r6
        r0 -= r6
        exit
.function sub
        r0 = r1
        exit
)";
  struct Position {
    const char* what = "";
    std::vector<std::uint8_t> begin;  // bytes of the instruction
    unwind::Outcome outcome = unwind::Outcome::kRight;
  };
  using unwind::Outcome;
  const Position kPositions[] = {{"push rbp", {0x55}, Outcome::kSkipped},
                                 {"mov rbp, rsp", {0x48, 0x89, 0xe5}, Outcome::kSkipped},
                                 {"push rbx", {0x53}, Outcome::kNotReliable},
                                 {"call", {0xe8}, Outcome::kNotReliable},
                                 {"pop rbx", {0x5b}, Outcome::kNotReliable},
                                 {"leave", {0xc9}, Outcome::kNotReliable},
                                 {"ret", {0xc3}, Outcome::kSkipped}};
  for (const char* name : {"linux-6.1-x86_64", "linux-6.12-x86_64"}) {
    const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, name);
    ASSERT_TRUE(jits.has_value());
    Judge judge;
    const auto value = parse_case(kText);
    ASSERT_TRUE(value.has_value()) << value.error().str();
    const Trial trial = judge.examine(*value, *jits->front(), Depth::kFull);
    ASSERT_EQ(trial.stage, Stage::kCompared) << trial.judgement.reason;
    const Image& image = trial.image->image();
    constexpr unwind::Unwinder kOrc[] = {unwind::Unwinder::kOrc};
    const WalkReport report = walk_report(image, trial.run, kOrc);
    for (const Position& position : kPositions) {
      bool seen = false;
      for (const InsnWalks& insn : report.insns) {
        if (image.function_at(insn.address) != &image.functions[0]) continue;
        const auto bytes = image.placement.bytes(insn.address, position.begin.size());
        if (!std::ranges::equal(bytes, position.begin)) continue;
        EXPECT_EQ(insn.worst(kOrc[0]), position.outcome) << name << ": " << position.what;
        seen = true;
      }
      EXPECT_TRUE(seen) << name << ": " << position.what;
    }
  }
}

}  // namespace
}  // namespace plumb::harness
