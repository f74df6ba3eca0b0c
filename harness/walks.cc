// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/walks.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "harness/call_frames.h"
#include "harness/unwind_elf.h"
#include "machine/code_effects.h"

namespace plumb::harness {
namespace {

// Longer than any chain of calls of a case, 33 tail calls out of nested subprograms included.
constexpr std::size_t kLongestWalk = 512;

constexpr std::size_t index_of(unwind::Unwinder unwinder) {
  return static_cast<std::size_t>(unwinder);
}

bool in_any(std::span<const Range> ranges, std::uint64_t address) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return range.contains(address); });
}

// The calls that a walk from the place has to find. A thunk that calls a place in itself jumps: it
// takes the return address off the stack, or writes over it. The kernel's rows take such a call
// for none (ANNOTATE_INTRA_FUNCTION_CALL).
std::int32_t outside_calls(const MachineRun& run, std::int32_t shadow, const Image& image,
                           std::span<const Range> pieces, std::uint64_t pc) {
  if (image.function_at(pc) != nullptr) return shadow;
  const auto thunk =
      std::ranges::find_if(pieces, [pc](const Range& piece) { return piece.contains(pc); });
  while (shadow > 0) {
    const ShadowFrame& frame = run.shadow[static_cast<std::size_t>(shadow)];
    if (frame.event >= 0 || !thunk->contains(frame.return_address)) break;
    shadow = frame.parent;
  }
  return shadow;
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

std::vector<unwind::Unwinder> unwinders_for(const Image& image) {
  const bool claims_frame_pointer = std::ranges::any_of(
      image.functions, [](const NativeFunction& function) { return function.fp_end != 0; });
  std::vector<unwind::Unwinder> result;
  for (const unwind::UnwinderInfo& info : unwind::unwinder_table()) {
    if (!info.runs_on(image.arch)) continue;
    if (info.id == unwind::Unwinder::kOrcFpRange && !claims_frame_pointer) continue;
    result.push_back(info.id);
  }
  return result;
}

WalkReport walk_report(const Image& image, const MachineRun& run,
                       std::span<const unwind::Unwinder> unwinders) {
  WalkReport report{.unwinders = {unwinders.begin(), unwinders.end()}, .insns = {}};
  const machine::UnwindKnowledge known = machine::unwind_knowledge(image);
  const CallFrames call_frames(unwind_elf(image, known, {}), image.arch);
  unwind::Knowledge knowledge = known.knowledge();
  knowledge.call_frames = &call_frames;
  unwind::StackReplay stack(run, image.placement.stack, image.arch, image.placement.exit);
  std::map<std::uint64_t, InsnWalks> insns;
  std::vector<std::uint64_t> calls;
  std::int32_t shadow = -1;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    const MachineStep& step = run.steps[i];
    if (!in_any(known.jit_code, step.pc)) continue;
    stack.advance_to(i);
    const std::int32_t outside = outside_calls(run, step.shadow, image, known.jit_code, step.pc);
    if (outside != shadow) {
      shadow = outside;
      unwind::calls_in_progress(run, shadow, calls);
    }
    ++report.steps;
    InsnWalks& insn = insns[step.pc];
    insn.address = step.pc;
    const unwind::Cursor cursor = unwind::cursor_at(step, image.arch);
    for (const unwind::Unwinder unwinder : unwinders) {
      const unwind::Walk walk = unwind::walk(unwinder, cursor, stack, knowledge, kLongestWalk);
      const auto outcome = static_cast<std::size_t>(unwind::outcome_of(walk, calls));
      ++insn.tallies[index_of(unwinder)][outcome];
    }
  }
  for (auto& [address, insn] : insns) report.insns.push_back(insn);
  return report;
}

double share_right(const WalkTally& tally) {
  const auto all = std::accumulate(tally.begin(), tally.end(), std::uint64_t{0});
  const std::uint64_t right = tally[static_cast<std::size_t>(unwind::Outcome::kRight)] +
                              tally[static_cast<std::size_t>(unwind::Outcome::kNotReliable)];
  return all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all);
}

}  // namespace plumb::harness
