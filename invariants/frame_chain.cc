// SPDX-License-Identifier: GPL-2.0-or-later
//
// The chain of frame records that an unwinder would walk, at every event that has one.
#include <fmt/format.h>

#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/unwind/step.h"
#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

// The machine walks at least so far. 33 tail calls out of nested subprograms make longer chains,
// and what it did not walk is not judged.
constexpr std::uint32_t kShortestCut = 64;

const FrameRecord& last_record(const MachineRun& run, const MachineEvent& event) {
  return run.frames[event.chain_begin + event.chain_size - 1];
}

// The walk went well as far as the machine went.
bool is_cut(const MachineRun& run, const MachineEvent& event) {
  return event.chain_size >= kShortestCut && last_record(run, event).saved != kPoisonFramePointer;
}

bool has_chain(const MachineEvent& event) {
  return event.kind == EventKind::kCall || event.kind == EventKind::kHelperCall ||
         event.kind == EventKind::kCallback || event.kind == EventKind::kThrow;
}

// Why there is no walk to look at, or nothing.
std::optional<NotApplicableReason> without_chain(const View& view) {
  const NativeRegister head = view.image().registers.frame_pointer;
  if (head.is_none()) return NotApplicableReason::kNoChain;
  if (!head.is_known()) return NotApplicableReason::kFramePointerUnknown;
  return std::nullopt;
}

// One record as the machine saw it, in place of the stack that it lay in.
class RecordedStack final : public unwind::StackReader {
 public:
  RecordedStack(const Range& stack, const FrameRecord& record, const unwind::Row& row)
      : stack_(stack),
        record_(record),
        cfa_(record.frame_pointer + static_cast<std::uint64_t>(std::int64_t{row.cfa_offset})),
        row_(row) {}

  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override {
    if (!stack_.contains(address, sizeof(std::uint64_t))) return std::nullopt;
    return is_at(address, row_.fp_offset) ? record_.saved : record_.return_address;
  }

 private:
  [[nodiscard]] bool is_at(std::uint64_t address, std::optional<std::int32_t> offset) const {
    return offset && address == cfa_ + static_cast<std::uint64_t>(std::int64_t{*offset});
  }

  const Range& stack_;
  const FrameRecord& record_;
  std::uint64_t cfa_;
  const unwind::Row& row_;
};

// Why the walk at this event is none, or empty.
std::string_view broken_walk(const View& view, const MachineEvent& event) {
  const MachineRun& run = view.run();
  if (event.chain_size == 0) return "is empty";
  const unwind::Rows& rows = unwind::frame_record_rows(view.image().arch);
  std::uint64_t sp = event.sp;
  for (std::uint32_t i = 0; i < event.chain_size; ++i) {
    const FrameRecord& record = run.frames[event.chain_begin + i];
    if (record.frame_pointer % 8 != 0) return unwind::why_phrase(unwind::Why::kMisaligned);
    const RecordedStack stack(view.image().placement.stack, record, *rows.find(event.pc));
    const unwind::Step step =
        unwind::step({.pc = event.pc, .sp = sp, .fp = record.frame_pointer, .lr = 0}, stack, rows);
    if (const auto* lost = std::get_if<unwind::Lost>(&step)) return unwind::why_phrase(lost->why);
    if (const auto* caller = std::get_if<unwind::Frame>(&step)) sp = caller->cursor.sp;
  }
  const bool ends = last_record(run, event).saved == kPoisonFramePointer;
  return ends || is_cut(run, event) ? std::string_view() : "stops before the end mark";
}

// Hands out the return addresses of the calls in progress, innermost first.
class ShadowWalk {
 public:
  ShadowWalk(const MachineRun& run, const MachineEvent& event)
      : shadow_(run.shadow), next_(event.shadow) {}

  // Not those of thunks that keep no record.
  [[nodiscard]] std::optional<std::uint64_t> next() {
    while (next_ >= 0 && static_cast<std::size_t>(next_) < shadow_.size()) {
      const ShadowFrame& frame = shadow_[static_cast<std::size_t>(next_)];
      next_ = frame.parent < next_ ? frame.parent : -1;
      if (frame.keeps_record) return frame.return_address;
    }
    return std::nullopt;
  }

 private:
  std::span<const ShadowFrame> shadow_;
  std::int32_t next_;
};

}  // namespace

Answer check_fp_chain_walkable(const View& view) {
  if (const auto reason = without_chain(view)) return not_applicable(*reason);
  bool looked = false;
  bool cut = false;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!has_chain(events[i])) continue;
    looked = true;
    cut |= events[i].chain_size > 0 && is_cut(view.run(), events[i]);
    if (const auto problem = broken_walk(view, events[i]); !problem.empty()) {
      return view.at_event("fp-chain-walkable", i, events[i].activation,
                           fmt::format("the walk along the frame pointers {}", problem));
    }
  }
  if (cut) return not_applicable(NotApplicableReason::kChainCut);
  return held_if(looked, NotApplicableReason::kNoCalls);
}

Answer check_fp_chain_matches_calls(const View& view) {
  if (const auto reason = without_chain(view)) return not_applicable(*reason);
  bool looked = false;
  bool cut = false;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!has_chain(events[i])) continue;
    looked = true;
    const bool event_is_cut = events[i].chain_size > 0 && is_cut(view.run(), events[i]);
    ShadowWalk shadow(view.run(), events[i]);
    std::uint32_t step = 0;
    for (; step < events[i].chain_size; ++step) {
      const FrameRecord& record = view.run().frames[events[i].chain_begin + step];
      const auto expected = shadow.next();
      if (expected == record.return_address) continue;
      return view.at_event(
          "fp-chain-matches-calls", i, events[i].activation,
          fmt::format("record {} of the walk returns to {}, the call in progress to {}", step,
                      view.code_name(record.return_address),
                      expected ? view.code_name(*expected) : "nowhere"));
    }
    cut |= event_is_cut;
    if (event_is_cut) continue;
    if (const auto missing = shadow.next()) {
      return view.at_event("fp-chain-matches-calls", i, events[i].activation,
                           fmt::format("the walk ends after {} records and misses the return to {}",
                                       step, view.code_name(*missing)));
    }
  }
  if (cut) return not_applicable(NotApplicableReason::kChainCut);
  return held_if(looked, NotApplicableReason::kNoCalls);
}

}  // namespace plumb::invariants
