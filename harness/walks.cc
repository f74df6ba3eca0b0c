// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/walks.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "harness/call_frames.h"
#include "harness/unwind_elf.h"
#include "machine/code_effects.h"

namespace plumb::harness {
namespace {

constexpr std::size_t index_of(unwind::Unwinder unwinder) {
  return static_cast<std::size_t>(unwinder);
}

}  // namespace

std::optional<unwind::Outcome> InsnWalks::worst(unwind::Unwinder unwinder) const {
  const WalkTally& tally = tallies[index_of(unwinder)];
  for (std::size_t i = kWalkOutcomes; i-- > 0;) {
    if (tally[i] != 0) return static_cast<unwind::Outcome>(i);
  }
  return std::nullopt;
}

WalkTally WalkReport::tally(unwind::Unwinder unwinder) const {
  WalkTally sum{};
  for (const InsnWalks& insn : insns) {
    const WalkTally& tally = insn.tallies[index_of(unwinder)];
    for (std::size_t i = 0; i < kWalkOutcomes; ++i) sum[i] += tally[i];
  }
  return sum;
}

WalkReport walk_report(const Image& image, const MachineRun& run,
                       std::span<const unwind::Unwinder> unwinders) {
  WalkReport report{.unwinders = {unwinders.begin(), unwinders.end()}, .insns = {}, .starts = {}};
  const machine::UnwindKnowledge known = machine::unwind_knowledge(image);
  const CallFrames call_frames(unwind_elf(image, known, {}), image.arch);
  std::map<std::uint64_t, InsnWalks> insns;
  std::map<std::pair<unwind::Start, unwind::Mark>, StartWalks> starts;
  std::size_t step = run.steps.size();
  unwind::survey(image, run, known,
                 {.unwinders = report.unwinders, .call_frames = &call_frames, .starts_in_c = true},
                 [&](const unwind::SurveyedWalk& seen) {
                   const auto outcome = static_cast<std::size_t>(seen.outcome);
                   if (seen.start == unwind::Start::kInstruction) {
                     if (seen.step != step) ++report.steps;
                     step = seen.step;
                     InsnWalks& insn = insns[run.steps[step].pc];
                     insn.address = run.steps[step].pc;
                     ++insn.tallies[index_of(seen.unwinder)][outcome];
                     return;
                   }
                   StartWalks& start = starts[{seen.start, seen.mark}];
                   start.start = seen.start;
                   start.mark = seen.mark;
                   ++start.tallies[index_of(seen.unwinder)][outcome];
                 });
  for (auto& [address, insn] : insns) report.insns.push_back(insn);
  for (auto& [place, start] : starts) report.starts.push_back(start);
  return report;
}

double share_right(const WalkTally& tally) {
  const auto all = std::accumulate(tally.begin(), tally.end(), std::uint64_t{0});
  const std::uint64_t right = tally[static_cast<std::size_t>(unwind::Outcome::kRight)] +
                              tally[static_cast<std::size_t>(unwind::Outcome::kNotReliable)];
  return all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all);
}

}  // namespace plumb::harness
