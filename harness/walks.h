// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/image.h"
#include "core/machine_run.h"
#include "core/unwind/replay.h"
#include "core/unwind/survey.h"
#include "core/unwind/unwinder.h"

// What each unwinder makes of every instruction of a run that was observed at Depth::kFull, as an
// interrupt there would begin it: with the registers of that moment. Only instructions of functions
// and thunks of the image count. And what they make of the frames of C code on top of the image's:
// of helpers and of interrupts.
namespace plumb::harness {

inline constexpr std::size_t kUnwinders = unwind::kUnwinderCount;
inline constexpr std::size_t kWalkOutcomes = unwind::kOutcomeCount;

// How often each outcome was seen.
using WalkTally = std::array<std::uint64_t, kWalkOutcomes>;

struct InsnWalks {
  std::uint64_t address = 0;
  std::array<WalkTally, kUnwinders> tallies{};

  // The worst that happened there; nothing: the unwinder did not start there.
  [[nodiscard]] std::optional<unwind::Outcome> worst(unwind::Unwinder unwinder) const;
};

// All walks of one kind that do not start at an instruction of the image (core/unwind/survey.h).
struct StartWalks {
  unwind::Start start = unwind::Start::kHelper;
  unwind::Mark mark = unwind::Mark::kNothing;  // of Start::kInterrupt
  std::array<WalkTally, kUnwinders> tallies{};
};

struct WalkReport {
  // Of this architecture, and told all that they need.
  std::vector<unwind::Unwinder> unwinders;
  std::vector<InsnWalks> insns;  // that ran, ascending
  std::vector<StartWalks> starts;
  std::uint64_t steps = 0;  // walks of each unwinder

  [[nodiscard]] WalkTally tally(unwind::Unwinder unwinder) const;
};

using unwind::unwinders_for;
[[nodiscard]] WalkReport walk_report(const Image& image, const MachineRun& run,
                                     std::span<const unwind::Unwinder> unwinders);

// How many of all walks found every caller, 0 ... 1; 0 of none.
[[nodiscard]] double share_right(const WalkTally& tally);

}  // namespace plumb::harness
