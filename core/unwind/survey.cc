// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/survey.h"

#include <algorithm>
#include <array>

namespace plumb::unwind {
namespace {

constexpr std::array kStarts{
#define PLUMB_WALK_START(id, name, sentence) StartInfo{Start::k##id, name, sentence},
#include "core/unwind/starts.inc"
};

bool in_any(std::span<const Range> ranges, std::uint64_t address) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return range.contains(address); });
}

// Are the frames those that are expected, but for count of them from there on?
bool same_without(const Walk& walk, std::span<const std::uint64_t> expected, std::size_t from,
                  std::size_t count) {
  if (from + count > expected.size() || walk.frames.size() + count != expected.size()) return false;
  for (std::size_t i = 0; i < walk.frames.size(); ++i) {
    if (walk.frames[i].cursor.pc != expected[i < from ? i : i + count]) return false;
  }
  return true;
}

bool starts_as(const Walk& walk, std::span<const std::uint64_t> expected) {
  if (walk.frames.size() > expected.size()) return false;
  return std::ranges::equal(walk.frames, expected.first(walk.frames.size()), {},
                            [](const Frame& frame) { return frame.cursor.pc; });
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

// One survey at work.
class Surveyor {
 public:
  Surveyor(const Image& image, const MachineRun& run, const CodeKnowledge& known,
           const SurveyOptions& options, const std::function<void(const SurveyedWalk&)>& visit)
      : image_(image),
        run_(run),
        known_(known),
        options_(options),
        visit_(visit),
        knowledge_(known.knowledge()),
        stack_(run, image.placement.stack, image.arch, image.placement.exit),
        below_(stack_, image.arch) {
    knowledge_.call_frames = options.call_frames;
  }

  std::optional<std::size_t> walk_all() {
    for (std::size_t i = 0; i < run_.steps.size(); ++i) walk_from(i);
    return no_room_;
  }

 private:
  void walk_from(std::size_t index) {
    const MachineStep& step = run_.steps[index];
    const bool is_jit_code = in_any(known_.jit_code, step.pc);
    if (!is_jit_code && (!options_.starts_in_c || !in_any(known_.text, step.pc))) return;
    stack_.advance_to(index);
    note_calls(is_jit_code ? outside_calls(run_, step.shadow, image_, known_.jit_code, step.pc)
                           : step.shadow);
    seen_.step = index;
    const Cursor cursor = cursor_at(step, image_.arch);
    if (is_jit_code) start_at(Start::kInstruction, cursor, stack_);
    if (!options_.starts_in_c) return;
    const bool is_entry = is_helper_entry(step);
    if (is_entry) start_at(Start::kHelperEntry, cursor, stack_);
    if (!has_room(step)) {
      if (!no_room_) no_room_ = index;
      return;
    }
    if (is_entry) start_at(Start::kHelper, below_.keep_record(cursor), below_);
    interrupt(cursor);
  }

  [[nodiscard]] bool has_room(const MachineStep& step) const {
    const Range& stack = image_.placement.stack;
    return step.sp >= stack.address + StackBelow::kMostLaid &&
           step.sp <= stack.address + stack.size;
  }

  void note_calls(std::int32_t shadow) {
    if (shadow == shadow_) return;
    shadow_ = shadow;
    calls_in_progress(run_, shadow, calls_);
  }

  // The first instruction behind the call of a helper: calls in progress are numbered as they
  // begin.
  [[nodiscard]] bool is_helper_entry(const MachineStep& step) {
    if (step.shadow <= newest_) return false;
    newest_ = step.shadow;
    const ShadowFrame& call = run_.shadow[static_cast<std::size_t>(step.shadow)];
    return step.sp == call.sp && call.event >= 0 &&
           run_.events[static_cast<std::size_t>(call.event)].kind == EventKind::kHelperCall;
  }

  void start_at(Start start, const Cursor& cursor, const StackReader& stack) {
    seen_.start = start;
    seen_.mark = Mark::kNothing;
    seen_.finds_interrupted = true;
    for (const Unwinder unwinder : options_.unwinders) {
      if (unwinder == Unwinder::kDwarf && start != Start::kInstruction) continue;
      walk_with(unwinder, cursor, stack, calls_, 0);
    }
  }

  void interrupt(const Cursor& interrupted) {
    seen_.start = Start::kInterrupt;
    for (const MarkInfo& mark : mark_table()) {
      const bool is_met = mark.is_met_on(image_.arch);
      if (!is_met && mark.id != Mark::kNothing) continue;
      seen_.mark = knowledge_.mark = mark.id;
      const Cursor handler = below_.interrupt(interrupted, mark.id);
      expect_interrupted(interrupted, mark.id);
      for (const Unwinder unwinder : options_.unwinders) {
        if (unwinder == Unwinder::kDwarf) continue;
        if (follows_records(unwinder) ? !is_met : mark.id != Mark::kNothing) continue;
        walk_with(unwinder, handler, below_, expected_, expected_.size() - calls_.size());
      }
    }
  }

  // The handler returns into the entry code; then comes what was interrupted, and its callers.
  void expect_interrupted(const Cursor& interrupted, Mark mark) {
    expected_.assign({kEntryReturn});
    if (mark == Mark::kFakeFrame) expected_.push_back(kFakeFunction.address + 1);
    expected_.push_back(interrupted.pc);
    expected_.insert(expected_.end(), calls_.begin(), calls_.end());
  }

  void walk_with(Unwinder unwinder, const Cursor& cursor, const StackReader& stack,
                 std::span<const std::uint64_t> expected, std::size_t own) {
    walk_into(found_, unwinder, cursor, stack, knowledge_, kLongestWalk);
    seen_.unwinder = unwinder;
    seen_.outcome = outcome_beside(found_, expected, own);
    if (seen_.start == Start::kInterrupt) {
      seen_.finds_interrupted =
          found_.frames.size() >= own && found_.frames[own - 1].cursor.pc == expected[own - 1];
    }
    seen_.walk = &found_;
    seen_.expected = expected;
    visit_(seen_);
  }

  const Image& image_;
  const MachineRun& run_;
  const CodeKnowledge& known_;
  const SurveyOptions& options_;
  const std::function<void(const SurveyedWalk&)>& visit_;
  Knowledge knowledge_;
  StackReplay stack_;
  StackBelow below_;
  SurveyedWalk seen_{};
  Walk found_;
  std::int32_t shadow_ = -1;
  std::int32_t newest_ = -1;  // call in progress
  std::optional<std::size_t> no_room_;
  std::vector<std::uint64_t> calls_;
  std::vector<std::uint64_t> expected_;
};

}  // namespace

std::span<const StartInfo> start_table() { return kStarts; }
const StartInfo& start_info(Start start) { return kStarts[static_cast<std::size_t>(start)]; }

std::vector<Unwinder> unwinders_for(const Image& image) {
  const bool claims_frame_pointer =
      std::ranges::any_of(image.functions, &NativeFunction::claims_frame_pointer);
  std::vector<Unwinder> result;
  for (const UnwinderInfo& info : unwinder_table()) {
    if (!info.runs_on(image.arch)) continue;
    if (info.id == Unwinder::kOrcFpRange && !claims_frame_pointer) continue;
    result.push_back(info.id);
  }
  return result;
}

bool finds_interrupts(Unwinder unwinder, Mark mark) {
  if (unwinder == Unwinder::kBackwardsEdge) return false;
  return follows_records(unwinder) ? mark_info(mark).leads : mark == Mark::kNothing;
}

Outcome outcome_beside(const Walk& walk, std::span<const std::uint64_t> expected, std::size_t own) {
  if (walk.reached_end && same_without(walk, expected, 0, 0)) {
    return walk.reliable ? Outcome::kRight : Outcome::kNotReliable;
  }
  if (walk.reliable) return Outcome::kLie;
  if (!walk.reached_end && starts_as(walk, expected)) return Outcome::kStopped;
  const bool misses_own = same_without(walk, expected, own, 1);
  const bool misses_interrupted = own > 0 && (same_without(walk, expected, own - 1, 1) ||
                                              same_without(walk, expected, own - 1, 2));
  if (walk.reached_end && (misses_own || misses_interrupted)) return Outcome::kSkipped;
  return Outcome::kLost;
}

bool is_blind(Start start, Mark mark, Unwinder unwinder) {
  return start == Start::kInterrupt && mark == Mark::kNothing && follows_records(unwinder);
}

std::optional<std::size_t> survey(const Image& image, const MachineRun& run,
                                  const CodeKnowledge& known, const SurveyOptions& options,
                                  const std::function<void(const SurveyedWalk&)>& visit) {
  return Surveyor(image, run, known, options, visit).walk_all();
}

}  // namespace plumb::unwind
