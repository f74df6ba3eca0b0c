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
#include "invariants/own_records.h"
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

// Where the function has its record, in the middle of its code, nobody who follows frame pointers
// may lose the way; before and behind it the frame pointer is the caller's, and that is a loss. At
// a helper's call it is the function's own. Rows say so where they do not know.
bool is_loss(const SurveyedWalk& seen, const OwnRecords* own) {
  if (seen.outcome == Outcome::kStopped && seen.walk->why == unwind::Why::kNoRow) return true;
  if (seen.start == Start::kHelper || uses_rows(seen.unwinder)) return false;
  if (seen.start == Start::kHelperEntry) return true;
  return own == nullptr || !own->is_between(seen.step);
}

bool is_wrong(const SurveyedWalk& seen, const OwnRecords* own) {
  switch (seen.outcome) {
    case Outcome::kRight:
    case Outcome::kNotReliable:
      return false;
    case Outcome::kStopped:
    case Outcome::kSkipped:
      return !is_loss(seen, own);
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
  explicit Judge(const View& view) : view_(view) {
    if (keeps_chain(view)) own_.emplace(view);
  }

  void see(const SurveyedWalk& seen) {
    if (unwind::is_blind(seen.start, seen.mark, seen.unwinder)) return;
    if (!own_ && !uses_rows(seen.unwinder)) return;
    ++found_.judged;
    if (seen.start == Start::kInterrupt && unwind::finds_interrupts(seen.unwinder, seen.mark)) {
      ++found_.interrupts;
      if (!seen.finds_interrupted) note(found_.missed, "interrupt-frame-found", seen);
    }
    if (seen.outcome == Outcome::kLie) {
      note(found_.lie, "unwind-never-wrong-when-reliable", seen);
    }
    if (is_wrong(seen, own_ ? &*own_ : nullptr)) {
      note(found_.wrong, "unwind-matches-shadow-stack", seen);
    }
    if (!seen.walk->reached_end && seen.walk->why == unwind::Why::kTooLong) {
      note(found_.endless, "unwinder-terminates", seen);
    }
  }
  void note_no_room(std::size_t step) {
    ++found_.interrupts;
    if (found_.missed) return;
    found_.missed = at_step(view_, "interrupt-frame-found", step,
                            fmt::format("at {}: the stack pointer is not on the stack, and an "
                                        "interrupt has no room",
                                        view_.code_name(view_.run().steps[step].pc)));
  }
  [[nodiscard]] WalkFindings found() && { return std::move(found_); }

 private:
  // Of two, one by rows: it is of another kind, and a waiver for the other one does not cover it.
  void note(std::optional<Violation>& slot, std::string_view invariant, const SurveyedWalk& seen) {
    constexpr std::string_view kByRows = "-by-rows";
    const bool by_rows = uses_rows(seen.unwinder);
    if (slot && (!by_rows || slot->role.ends_with(kByRows))) return;
    const MachineStep& step = view_.run().steps[seen.step];
    slot = at_step(
        view_, invariant, seen.step,
        fmt::format("{}, {} at {}: the walk{} {}", unwind::unwinder_info(seen.unwinder).name,
                    start_text(seen), view_.code_name(step.pc),
                    seen.outcome == Outcome::kLie ? " is called reliable, and" : "",
                    difference(view_, seen)));
    if (by_rows) slot->role += kByRows;
  }

  const View& view_;
  std::optional<OwnRecords> own_;  // where the JIT keeps a chain
  WalkFindings found_;
};

// Walks start at interrupts alone; at less depth nothing is made for them.
Answer answer(const View& view, std::uint64_t WalkFindings::* looked,
              std::optional<Violation> WalkFindings::* violation) {
  if (view.run().knowledge == nullptr) return not_applicable(NotApplicableReason::kDepth);
  const WalkFindings& found = view.walks();
  if (found.*violation) return *(found.*violation);
  return held_if(found.*looked > 0, NotApplicableReason::kNoWalk);
}

// ---- claims ----

// What a JIT claims of one instruction, beside what the machine saw there.
class Claims {
 public:
  explicit Claims(const View& view)
      : view_(view),
        run_(view.run()),
        rows_(view.image().arch, view.image().unwind_rows),
        claims_ranges_(
            std::ranges::any_of(view.image().functions, &NativeFunction::claims_frame_pointer)) {}

  [[nodiscard]] bool any() const { return claims_ranges_ || !rows_.all().empty(); }
  [[nodiscard]] bool looked() const { return looked_; }

  // The first claim that is wrong, of rows; where there is none, of ranges.
  std::optional<Violation> first_wrong() {
    const OwnRecords own(view_);
    if (!rows_.all().empty()) {
      if (auto wrong = first_wrong_row(own)) return wrong;
    }
    return claims_ranges_ ? first_wrong_range(own) : std::nullopt;
  }

 private:
  [[nodiscard]] const NativeFunction* function_at(std::size_t index) const {
    const MachineStep& step = run_.steps[index];
    return step.shadow < 0 ? nullptr : view_.image().function_at(step.pc);
  }
  [[nodiscard]] Violation wrong_at(std::size_t index, const std::string& problem) const {
    return at_step(view_, "claims-hold", index,
                   fmt::format("at {}: {}", view_.code_name(run_.steps[index].pc), problem));
  }

  std::optional<Violation> first_wrong_row(const OwnRecords& own) {
    const Image& image = view_.image();
    unwind::StackReplay stack(run_, image.placement.stack, image.arch, image.placement.exit);
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      if (function_at(i) == nullptr) continue;
      looked_ = true;
      stack.advance_to(i);
      if (auto problem = wrong_row(i, stack, own); !problem.empty()) return wrong_at(i, problem);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string wrong_row(std::size_t index, const unwind::StackReader& stack,
                                      const OwnRecords& own) const {
    const MachineStep& step = run_.steps[index];
    const Arch arch = view_.image().arch;
    const unwind::Row* const row = rows_.find(step.pc);
    if (row == nullptr || row->kind == unwind::Row::Kind::kUnknown) {
      return "the JIT hands over unwind rows, and none for this instruction";
    }
    const unwind::Step caller =
        unwind::step_by_row(unwind::cursor_at(step, arch), stack, arch, *row);
    std::string problem = own.wrong_caller(caller, index);
    const ShadowFrame& call = run_.shadow[static_cast<std::size_t>(step.shadow)];
    const std::uint64_t pushed = arch == Arch::kX86_64 ? sizeof(std::uint64_t) : 0;
    if (problem.empty() && std::get<unwind::Frame>(caller).cursor.sp != call.sp + pushed) {
      problem = "gives the caller another stack pointer";
    }
    return problem.empty() ? problem : "the JIT's unwind row " + problem;
  }

  std::optional<Violation> first_wrong_range(const OwnRecords& own) {
    std::vector<bool> has_begun(run_.activations.size());
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      const NativeFunction* const native = function_at(i);
      const std::uint32_t activation = run_.steps[i].activation;
      if (native == nullptr || activation >= has_begun.size()) continue;
      looked_ = true;
      const auto offset = static_cast<std::uint32_t>(run_.steps[i].pc - native->address);
      const bool is_claimed = native->fp_begin <= offset && offset < native->fp_end;
      if (is_claimed && !own.is_headed(i)) {
        return range_at(i, "the frame pointer heads the function's record here, and it does not");
      }
      // The body's first instruction, where the frame is complete.
      if (has_begun[activation] || !own.is_headed(i) || !begins_insn(*native, offset)) continue;
      has_begun[activation] = true;
      if (native->fp_begin >= native->fp_end) {
        return range_at(i,
                        "the frame pointer heads no record anywhere in the function, and here "
                        "it heads the function's own");
      }
      if (!is_claimed) {
        return range_at(i,
                        "the frame pointer does not head the function's record where its body "
                        "begins, and it does");
      }
    }
    return std::nullopt;
  }
  static bool begins_insn(const NativeFunction& native, std::uint32_t offset) {
    return native.insn_offsets.empty() || std::ranges::binary_search(native.insn_offsets, offset);
  }
  [[nodiscard]] Violation range_at(std::size_t index, std::string_view what) const {
    Violation violation = wrong_at(index, fmt::format("the JIT says that {}", what));
    violation.role += "-range";
    return violation;
  }

  const View& view_;
  const MachineRun& run_;
  unwind::Rows rows_;
  bool claims_ranges_;
  bool looked_ = false;
};

}  // namespace

WalkFindings walk_findings(const View& view) {
  if (view.run().knowledge == nullptr) return {};
  std::vector<Unwinder> unwinders = unwind::unwinders_for(view.image());
  std::erase_if(unwinders, [](Unwinder unwinder) {
    return unwinder == Unwinder::kBackwardsEdge || unwinder == Unwinder::kDwarf;
  });
  Judge judge(view);
  const auto no_room = unwind::survey(
      view.image(), view.run(), *view.run().knowledge,
      {.unwinders = std::move(unwinders), .call_frames = nullptr, .starts_in_c = true},
      [&judge](const SurveyedWalk& seen) { judge.see(seen); });
  if (no_room) judge.note_no_room(*no_room);
  return std::move(judge).found();
}

Answer check_unwind_never_wrong(const View& view) {
  return answer(view, &WalkFindings::judged, &WalkFindings::lie);
}

Answer check_unwind_matches_calls(const View& view) {
  return answer(view, &WalkFindings::judged, &WalkFindings::wrong);
}

Answer check_interrupt_frame_found(const View& view) {
  return answer(view, &WalkFindings::interrupts, &WalkFindings::missed);
}

Answer check_unwinder_terminates(const View& view) {
  return answer(view, &WalkFindings::judged, &WalkFindings::endless);
}

Answer check_claims_hold(const View& view) {
  if (view.run().steps.empty()) return not_applicable(NotApplicableReason::kDepth);
  Claims claims(view);
  if (!claims.any()) return not_applicable(NotApplicableReason::kNoClaims);
  if (auto wrong = claims.first_wrong()) return *std::move(wrong);
  return held_if(claims.looked(), NotApplicableReason::kNoWalk);
}

}  // namespace plumb::invariants
