// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the reference JIT claims about its frames, against what its code was seen to do.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using jit::reference::FrameLayout;
using jit::reference::layout_table;
using jit::reference::LayoutRow;
using jit::reference::SlotRole;

constexpr std::uint64_t kCases = 60;

// One run under one layout, and the frames that the layout claims for its functions.
class Claims {
 public:
  Claims(const LayoutRow& row, const Trial& trial, const Case& value)
      : row_(row),
        trial_(trial),
        image_(trial.image->image()),
        frames_(jit::reference::frames_of(value, row)) {}

  // How many frames were compared.
  int compare() const {
    std::map<std::uint32_t, std::set<int>> written = written_slots();
    int compared = 0;
    for (std::size_t a = 0; a < trial_.run.activations.size(); ++a) {
      const Activation& activation = trial_.run.activations[a];
      const NativeFunction* native = image_.find_function(activation.program, activation.function);
      if (native == nullptr || is_private_elsewhere(*native)) continue;
      const std::set<int> claimed = claimed_slots(frame(activation), activation.replaced >= 0);
      EXPECT_EQ(claimed, written[static_cast<std::uint32_t>(a)])
          << row_.name << ", activation " << a;
      ++compared;
    }
    compare_registers();
    return compared;
  }

 private:
  const FrameLayout& frame(const Activation& activation) const {
    return frames_[static_cast<std::size_t>(activation.program)]
                  [static_cast<std::size_t>(activation.function)];
  }
  // Private stacks can run out of memory; the frame then is another one than claimed.
  bool is_private_elsewhere(const NativeFunction& native) const {
    const FrameLayout& claimed = frames_[static_cast<std::size_t>(native.program)]
                                        [static_cast<std::size_t>(native.function)];
    return claimed.r10.has_value() == native.r10_register.is_known();
  }
  std::uint64_t cfa(std::size_t a) const {
    while (trial_.run.activations[a].replaced >= 0) {
      a = static_cast<std::size_t>(trial_.run.activations[a].replaced);
    }
    const std::uint64_t pushed = row_.arch == Arch::kX86_64 ? 8 : 0;
    return trial_.run.activations[a].entry_sp + pushed;
  }

  // Offsets from the CFA of the 8-byte units that prologues wrote, by activation.
  std::map<std::uint32_t, std::set<int>> written_slots() const {
    std::map<std::uint32_t, std::set<int>> written;
    for (const StackAccess& access : trial_.run.accesses) {
      if (access.kind != AccessKind::kWrite || access.pc == 0) continue;
      const Activation& activation = trial_.run.activations[access.activation];
      const NativeFunction* native = image_.find_function(activation.program, activation.function);
      if (native == nullptr || access.pc - native->address >= native->insn_offsets.front()) {
        continue;
      }
      for (int i = 0; i < access.size; i += 8) {
        const std::uint64_t at = access.address + static_cast<std::uint64_t>(i);
        written[access.activation].insert(static_cast<int>(at - cfa(access.activation)));
      }
    }
    return written;
  }

  // How far down an exception callback finds its frame made by the boundary.
  static int taken_over_down_to(const FrameLayout& claimed) {
    for (const auto& step : claimed.prologue) {
      if (step.kind == jit::reference::StepKind::kTakeOver) {
        return claimed.frame_pointer - step.value;
      }
    }
    return 0;
  }

  // A call pushes x86-64's return address; a tail call arrives behind what it keeps.
  std::set<int> claimed_slots(const FrameLayout& claimed, bool by_tail_call) const {
    std::set<int> slots;
    for (const auto& slot : claimed.slots) {
      const bool by_caller = slot.role == SlotRole::kReturnAddress && row_.arch == Arch::kX86_64;
      const bool kept = by_tail_call && slot.offset >= claimed.entry_sp;
      const bool reused = by_tail_call && is_reused();
      const bool taken_over = slot.offset >= taken_over_down_to(claimed);
      if (slot.role == SlotRole::kBpfStack || by_caller || kept || reused || taken_over) continue;
      slots.insert(slot.offset);
    }
    return slots;
  }
  bool is_reused() const { return row_.recipe.back().part == jit::reference::Part::kEntry; }

  void compare_registers() const {
    for (const MachineEvent& event : trial_.run.events) {
      if (event.kind != EventKind::kCall && event.kind != EventKind::kHelperCall) continue;
      const Activation& activation = trial_.run.activations[event.activation];
      const FrameLayout& claimed = frame(activation);
      const NativeFunction* native = image_.find_function(activation.program, activation.function);
      if (native == nullptr || is_private_elsewhere(*native)) continue;
      const std::uint64_t base = cfa(event.activation);
      const auto at = [base](int offset) {
        return base + static_cast<std::uint64_t>(std::int64_t{offset});
      };
      EXPECT_EQ(event.registers[image_.registers.frame_pointer.number()], at(claimed.frame_pointer))
          << row_.name;
      const bool kept_r10 = activation.replaced >= 0 && is_reused();
      if (claimed.r10 && image_.functions.front().address != 0 && !kept_r10 &&
          activation.r10 != 0 && names_r10(activation)) {
        EXPECT_EQ(activation.r10, at(*claimed.r10)) << row_.name;
      }
      // Around calls a private stack's register lies on the stack; a reused frame is the caller's.
      const int pushed = native->r10_register.is_known() ? 8 : 0;
      if (!kept_r10) {
        EXPECT_EQ(event.sp, at(claimed.body_sp - pushed)) << row_.name;
      }
    }
  }
  bool names_r10(const Activation& activation) const {
    for (const auto& step : frame(activation).prologue) {
      if (step.kind == jit::reference::StepKind::kPointAtSp &&
          step.a == frame(activation).r10_register) {
        return true;
      }
    }
    return frame(activation).r10_register == image_.registers.frame_pointer.number() &&
           row_.arch == Arch::kX86_64;
  }

  const LayoutRow& row_;
  const Trial& trial_;
  const Image& image_;
  std::vector<std::vector<FrameLayout>> frames_;
};

TEST(ReferenceFrames, SlotsClaimedAreSlotsSeenWritten) {
  Judge judge;
  for (const LayoutRow& row : layout_table()) {
    const auto jit = jit::reference::open(fmt::format("reference:{}", row.name));
    ASSERT_TRUE(jit.has_value());
    int compared = 0;
    for (std::uint64_t n = 0; n < kCases; ++n) {
      const Case value = gen::generate(nth_seed(11, n));
      const Trial trial = judge.examine(value, **jit, Depth::kFull);
      const bool sound = trial.judgement.verdict == Verdict::kConforms;
      const bool is_comparable = trial.stage == Stage::kCompared;
      if (!is_comparable || (!sound && row.traits.known_wrong.empty())) {
        EXPECT_TRUE(!is_comparable) << row.name << ", case " << n;
        continue;
      }
      if (trial.run.stop != StopReason::kReturned) continue;
      compared += Claims(row, trial, value).compare();
    }
    EXPECT_GE(compared, 15) << row.name;
  }
}

// The same case under all layouts: each agrees with the oracle under its contract, so all agree
// with each other wherever the contracts do.
TEST(ReferenceFrames, AllSoundLayoutsComeToTheSameResult) {
  Judge judge;
  std::vector<std::unique_ptr<jit::Jit>> jits;
  for (const LayoutRow& row : layout_table()) {
    if (!row.traits.known_wrong.empty()) continue;
    auto jit = jit::reference::open(fmt::format("reference:{}", row.name));
    ASSERT_TRUE(jit.has_value());
    jits.push_back(std::move(*jit));
  }
  int agreements = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    const Case value = gen::generate(nth_seed(12, n));
    std::map<Tristate, std::vector<MachineRun>> runs;  // by contract
    for (const auto& jit : jits) {
      Trial trial = judge.examine(value, *jit, Depth::kFast);
      if (trial.stage != Stage::kCompared) continue;
      EXPECT_EQ(trial.judgement.verdict, Verdict::kConforms) << jit->info().name << ", case " << n;
      runs[jit->info().contract.empty_slot_consumes_count].push_back(std::move(trial.run));
    }
    for (const auto& [contract, same] : runs) {
      for (const MachineRun& run : same) {
        EXPECT_EQ(run.result, same.front().result) << "case " << n;
        EXPECT_EQ(run.tail_calls, same.front().tail_calls) << "case " << n;
        EXPECT_EQ(run.events.size(), same.front().events.size()) << "case " << n;
        ++agreements;
      }
    }
  }
  EXPECT_GT(agreements, 10 * static_cast<int>(kCases) / 2);
}

// More frames at a time than any single program may have: tail calls start the count of frames
// anew.
TEST(Reference, CallChainsMayBeDeeperThan64Frames) {
  const auto value = read_case("corpus/regressions/call-chain-deeper-than-64-frames.bpf");
  ASSERT_TRUE(value.has_value());
  for (const char* name : {"reference:x86_64-6.12", "reference:arm64-6.12"}) {
    auto jit = jit::reference::open(name);
    ASSERT_TRUE(jit.has_value());
    const Judgement judgement = Judge().judge(*value, **jit, Depth::kFull).judgement;
    EXPECT_EQ(judgement.verdict, Verdict::kConforms) << name << ' ' << judgement.signature.str();
  }
}

}  // namespace
}  // namespace plumb::harness
