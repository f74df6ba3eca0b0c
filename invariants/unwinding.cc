// SPDX-License-Identifier: GPL-2.0-or-later
//
// Walks along the stack from everywhere in the run, and what a JIT claims of its own frames.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "invariants/checkers.h"
#include "invariants/walks.h"

namespace plumb::invariants {
namespace {

using unwind::Outcome;
using unwind::Start;
using unwind::SurveyedWalk;
using unwind::Unwinder;

// ---- walks ----

bool keeps_chain(const View& view) { return view.image().registers.frame_pointer.is_known(); }

bool uses_rows(Unwinder unwinder) {
  return unwind::unwinder_info(unwinder).jit_code == unwind::Rule::kRows;
}

// Nothing tells whoever follows frame pointers of this interrupt.
bool is_blind(const SurveyedWalk& seen) {
  return seen.start == Start::kInterrupt && unwind::follows_records(seen.unwinder) &&
         seen.mark == unwind::Mark::kNothing;
}

// Rows say so where they do not know. A frame pointer may be the caller's still, in a prologue, or
// again, in an epilogue: that is a loss. At a call it is the function's own.
bool is_wrong(const SurveyedWalk& seen) {
  switch (seen.outcome) {
    case Outcome::kRight:
    case Outcome::kNotReliable:
      return false;
    case Outcome::kStopped:
      return seen.start == Start::kHelper ||
             (uses_rows(seen.unwinder) && seen.walk->why != unwind::Why::kNoRow);
    case Outcome::kSkipped:
      return seen.start == Start::kHelper || uses_rows(seen.unwinder);
    case Outcome::kLost:
    case Outcome::kLie:
      break;
  }
  return true;
}

std::string start_text(const SurveyedWalk& seen) {
  std::string text(unwind::start_info(seen.start).name);
  if (seen.start == Start::kInterrupt) {
    text += fmt::format(" (mark: {})", unwind::mark_info(seen.mark).name);
  }
  return text;
}

// "finds sub+0x4 where main+0x20 is": the first frame that is another one.
std::string difference(const View& view, const SurveyedWalk& seen) {
  const auto& frames = seen.walk->frames;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::uint64_t found = frames[i].cursor.pc;
    if (i < seen.expected.size() && found == seen.expected[i]) continue;
    return fmt::format("finds {} where {} is", view.code_name(found),
                       i < seen.expected.size() ? view.code_name(seen.expected[i]) : "no frame");
  }
  if (seen.walk->reached_end) return fmt::format("ends after {} frames", frames.size());
  return std::string(unwind::why_phrase(seen.walk->why));
}

// The last access before the step, or -1 where no access came between the step and its event.
std::int32_t access_before(const MachineRun& run, std::size_t index) {
  const auto behind =
      std::ranges::partition_point(run.accesses, [index](const StackAccess& access) {
        return access.step < static_cast<std::int32_t>(index);
      });
  if (behind == run.accesses.begin()) return -1;
  const auto last = std::prev(behind);
  if (last->event != run.steps[index].event) return -1;
  return static_cast<std::int32_t>(last - run.accesses.begin());
}

Violation at_step(const View& view, std::string_view invariant, std::size_t index,
                  std::string message) {
  const MachineStep& step = view.run().steps[index];
  return {.invariant = invariant,
          .role = view.role(step.activation),
          .at = view.place_of(step.pc),
          .event = step.event,
          .message = std::move(message),
          .access = access_before(view.run(), index),
          .activation = static_cast<std::int32_t>(step.activation)};
}

// Collects the first of each kind.
class Judge {
 public:
  explicit Judge(const View& view) : view_(view), keeps_chain_(keeps_chain(view)) {}

  void see(const SurveyedWalk& seen) {
    if (is_blind(seen) || (!keeps_chain_ && !uses_rows(seen.unwinder))) return;
    ++found_.judged;
    if (seen.start == Start::kInterrupt && unwind::finds_interrupts(seen.unwinder, seen.mark)) {
      ++found_.interrupts;
      if (!seen.finds_interrupted) note(found_.missed, "interrupt-frame-found", seen);
    }
    if (seen.outcome == Outcome::kLie) {
      note(found_.lie, "unwind-never-wrong-when-reliable", seen);
    }
    if (is_wrong(seen)) note(found_.wrong, "unwind-matches-shadow-stack", seen);
    if (!seen.walk->reached_end && seen.walk->why == unwind::Why::kTooLong) {
      note(found_.endless, "unwinder-terminates", seen);
    }
  }
  [[nodiscard]] WalkFindings found() && { return std::move(found_); }

 private:
  void note(std::optional<Violation>& slot, std::string_view invariant, const SurveyedWalk& seen) {
    if (slot) return;
    const MachineStep& step = view_.run().steps[seen.step];
    slot = at_step(
        view_, invariant, seen.step,
        fmt::format("{}, {} at {}: the walk{} {}", unwind::unwinder_info(seen.unwinder).name,
                    start_text(seen), view_.code_name(step.pc),
                    seen.outcome == Outcome::kLie ? " is called reliable, and" : "",
                    difference(view_, seen)));
  }

  const View& view_;
  bool keeps_chain_;
  WalkFindings found_;
};

// Why no walk is judged, or nothing.
std::optional<NotApplicableReason> without_walks(const View& view) {
  if (view.run().knowledge == nullptr) return NotApplicableReason::kDepth;
  if (!keeps_chain(view)) return NotApplicableReason::kFramePointerUnknown;
  return std::nullopt;
}

Answer answer(const View& view, std::uint64_t looked, const std::optional<Violation>& violation) {
  if (const auto reason = without_walks(view)) return not_applicable(*reason);
  if (violation) return *violation;
  return held_if(looked > 0, NotApplicableReason::kNoWalk);
}

// ---- claims ----

// What a JIT claims of one instruction, beside what the machine saw there.
class Claims {
 public:
  explicit Claims(const View& view)
      : view_(view),
        run_(view.run()),
        rows_(view.image().arch, view.image().unwind_rows),
        stack_(run_, view.image().placement.stack, view.image().arch, view.image().placement.exit),
        claims_ranges_(std::ranges::any_of(view.image().functions, [](const NativeFunction& f) {
          return f.fp_begin != 0 || f.fp_end != 0;
        })) {}

  [[nodiscard]] bool any() const { return claims_ranges_ || !rows_.all().empty(); }
  [[nodiscard]] bool looked() const { return looked_; }

  // The first claim that is wrong, in the order of the run.
  std::optional<Violation> first_wrong() {
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      note_call(i);
      const NativeFunction* const native = view_.image().function_at(run_.steps[i].pc);
      if (native == nullptr || run_.steps[i].shadow < 0) continue;
      looked_ = true;
      stack_.advance_to(i);
      std::string problem = wrong_range(*native, i);
      if (problem.empty()) problem = wrong_row(i);
      if (!problem.empty()) {
        return at_step(view_, "claims-hold", i,
                       fmt::format("at {}: {}", view_.code_name(run_.steps[i].pc), problem));
      }
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] const ShadowFrame& call_of(const MachineStep& step) const {
    return run_.shadow[static_cast<std::size_t>(step.shadow)];
  }

  [[nodiscard]] std::uint64_t entry_fp() const {
    return run_.entry_registers[view_.image().registers.frame_pointer.number()];
  }

  // A call leaves the frame pointer as it is.
  void note_call(std::size_t index) {
    const MachineStep& step = run_.steps[index];
    if (step.shadow < static_cast<std::int32_t>(caller_fp_.size())) return;
    const std::uint64_t fp = index == 0 ? entry_fp() : run_.steps[index - 1].fp;
    caller_fp_.resize(static_cast<std::size_t>(step.shadow) + 1, fp);
  }

  // What a row, or a record, makes of the caller's return address and frame pointer that is wrong,
  // or empty.
  [[nodiscard]] std::string wrong_caller(const unwind::Step& caller,
                                         const MachineStep& step) const {
    const auto* const frame = std::get_if<unwind::Frame>(&caller);
    if (frame == nullptr) return "leads nowhere";
    const ShadowFrame& call = call_of(step);
    if (frame->cursor.pc != call.return_address) {
      return fmt::format("returns to {}, the call in progress to {}",
                         view_.code_name(frame->cursor.pc), view_.code_name(call.return_address));
    }
    if (frame->cursor.fp != caller_fp_[static_cast<std::size_t>(step.shadow)]) {
      return "gives the caller another frame pointer";
    }
    return {};
  }

  // Does the frame pointer head a record of the function's own?
  [[nodiscard]] bool heads_own_record(const MachineStep& step) const {
    const Arch arch = view_.image().arch;
    return wrong_caller(unwind::step_by_row(unwind::cursor_at(step, arch), stack_, arch,
                                            *unwind::frame_record_rows(arch).find(0)),
                        step)
        .empty();
  }

  [[nodiscard]] std::string wrong_range(const NativeFunction& native, std::size_t index) const {
    if (!claims_ranges_) return {};
    const MachineStep& step = run_.steps[index];
    const std::uint64_t offset = step.pc - native.address;
    if (native.fp_begin >= native.fp_end) {
      if (!heads_own_record(step)) return {};
      return "the frame pointer heads the function's record, and the JIT says of no instruction of "
             "the function that it does";
    }
    if (offset < native.fp_begin || offset >= native.fp_end || heads_own_record(step)) return {};
    return "the JIT says that the frame pointer heads the function's record here, and it does not";
  }

  [[nodiscard]] std::string wrong_row(std::size_t index) const {
    if (rows_.all().empty()) return {};
    const MachineStep& step = run_.steps[index];
    const Arch arch = view_.image().arch;
    const unwind::Row* const row = rows_.find(step.pc);
    if (row == nullptr || row->kind == unwind::Row::Kind::kUnknown) {
      return "the JIT hands over unwind rows, and none for this instruction";
    }
    const unwind::Step caller =
        unwind::step_by_row(unwind::cursor_at(step, arch), stack_, arch, *row);
    std::string problem = wrong_caller(caller, step);
    const std::uint64_t pushed = arch == Arch::kX86_64 ? sizeof(std::uint64_t) : 0;
    if (problem.empty() && std::get<unwind::Frame>(caller).cursor.sp != call_of(step).sp + pushed) {
      problem = "gives the caller another stack pointer";
    }
    return problem.empty() ? problem : "the JIT's unwind row " + problem;
  }

  const View& view_;
  const MachineRun& run_;
  unwind::Rows rows_;
  unwind::StackReplay stack_;
  std::vector<std::uint64_t> caller_fp_;  // by call in progress
  bool claims_ranges_;
  bool looked_ = false;
};

}  // namespace

WalkFindings walk_findings(const View& view) {
  if (without_walks(view)) return {};
  std::vector<Unwinder> unwinders = unwind::unwinders_for(view.image());
  std::erase_if(unwinders, [](Unwinder unwinder) {
    return unwinder == Unwinder::kBackwardsEdge || unwinder == Unwinder::kDwarf;
  });
  Judge judge(view);
  unwind::survey(view.image(), view.run(), *view.run().knowledge,
                 {.unwinders = std::move(unwinders), .call_frames = nullptr, .starts_in_c = true},
                 [&judge](const SurveyedWalk& seen) { judge.see(seen); });
  return std::move(judge).found();
}

Answer check_unwind_never_wrong(const View& view) {
  return answer(view, view.walks().judged, view.walks().lie);
}

Answer check_unwind_matches_calls(const View& view) {
  return answer(view, view.walks().judged, view.walks().wrong);
}

Answer check_interrupt_frame_found(const View& view) {
  return answer(view, view.walks().interrupts, view.walks().missed);
}

Answer check_unwinder_terminates(const View& view) {
  return answer(view, view.walks().judged, view.walks().endless);
}

Answer check_claims_hold(const View& view) {
  if (view.run().steps.empty()) return not_applicable(NotApplicableReason::kDepth);
  if (!keeps_chain(view)) return not_applicable(NotApplicableReason::kFramePointerUnknown);
  Claims claims(view);
  if (!claims.any()) return not_applicable(NotApplicableReason::kNoClaims);
  if (auto wrong = claims.first_wrong()) return *std::move(wrong);
  return held_if(claims.looked(), NotApplicableReason::kNoWalk);
}

}  // namespace plumb::invariants
