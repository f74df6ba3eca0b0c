// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the stack pointer is at the edges: calls, returns, tail calls and the exit.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

std::string moved(std::uint64_t from, std::uint64_t to) {
  const auto distance = static_cast<std::int64_t>(to - from);
  return fmt::format("{} bytes {}", distance < 0 ? -distance : distance,
                     distance < 0 ? "lower" : "higher");
}

// The event where sp is seen in the body of the activation, in between BPF instructions.
bool is_body_event(EventKind kind) {
  return kind == EventKind::kCall || kind == EventKind::kHelperCall ||
         kind == EventKind::kTailCallRefused || kind == EventKind::kThrow;
}

std::optional<Violation> unbalanced_return(const View& view, std::size_t index) {
  const MachineEvent& back = view.run().events[index];
  if (back.kind != EventKind::kReturn || back.call < 0) return std::nullopt;
  const MachineEvent& call = view.run().events[static_cast<std::size_t>(back.call)];
  if (back.returned_sp == call.sp || back.returned_sp == 0) return std::nullopt;
  return view.at_event("sp-balanced", index, back.entered,
                       fmt::format("the stack pointer is {} after the call than before it",
                                   moved(call.sp, back.returned_sp)));
}

// After the unwinding of a tail call, sp stands where a fresh entry's would at the landing point.
std::optional<Violation> unbalanced_landing(const View& view, std::size_t index) {
  const std::int32_t entered = view.run().events[index].entered;
  const auto landing_below_entry = view.landing_below_entry(entered);
  if (!landing_below_entry) return std::nullopt;
  const std::uint64_t expected = view.frame(entered)->entry_sp - *landing_below_entry;
  const MachineEvent& event = view.run().events[index];
  if (event.sp == expected) return std::nullopt;
  return view.at_event(
      "sp-balanced", index, event.activation,
      fmt::format("a tail call lands with the stack pointer {} than a call of the target would",
                  moved(expected, event.sp)));
}

// Where sp was at the events of one activation in which it has to stand still: one place for all
// kinds, or by kind of call.
class BodySp {
 public:
  explicit BodySp(SpAtCalls rule) : rule_(rule) {}

  // Where it was before, when it has to be there again.
  std::optional<std::uint64_t> note(const MachineEvent& event) {
    if (event.activation != activation_) *this = BodySp(rule_, event.activation);
    // bpf_throw is called as a helper is.
    const EventKind as = event.kind == EventKind::kThrow ? EventKind::kHelperCall : event.kind;
    const std::size_t kind =
        rule_ == SpAtCalls::kByKind ? static_cast<std::size_t>(as) : std::size_t{0};
    return std::exchange(seen_[kind], event.sp);
  }

 private:
  static constexpr std::size_t kKinds = static_cast<std::size_t>(EventKind::kExit) + 1;
  BodySp(SpAtCalls rule, std::int64_t activation) : rule_(rule), activation_(activation) {}

  SpAtCalls rule_;
  std::int64_t activation_ = -1;
  std::array<std::optional<std::uint64_t>, kKinds> seen_{};
};

// Between BPF instructions sp stands still, below what the prologue has saved: what moves it is a
// refused tail call that has popped already.
std::optional<Violation> moved_in_body(const View& view, Unseen& unseen) {
  const SpAtCalls rule = view.image().contract.sp_at_calls;
  const bool is_constant = rule == SpAtCalls::kConstant || rule == SpAtCalls::kByKind;
  BodySp body(rule);
  for (std::size_t i = 0; i < view.run().events.size(); ++i) {
    const MachineEvent& event = view.run().events[i];
    if (!is_body_event(event.kind)) continue;
    unseen.note_if(rule == SpAtCalls::kUnknown, NotApplicableReason::kSpAtCallsUnknown);
    const Frame* frame = view.frame(event.activation);
    unseen.note_if(frame != nullptr && !frame->has_offsets, NotApplicableReason::kOffsetsUnknown);
    if (frame != nullptr && frame->saved_low != 0 && event.sp > frame->saved_low) {
      return view.at_event("sp-balanced", i, event.activation,
                           fmt::format("the stack pointer is {} than what the prologue has saved",
                                       moved(frame->saved_low, event.sp)));
    }
    const auto before = body.note(event);
    if (!is_constant || !before || *before == event.sp) continue;
    return view.at_event(
        "sp-balanced", i, event.activation,
        fmt::format("the stack pointer is {} than at the call before", moved(*before, event.sp)));
  }
  return std::nullopt;
}

// The tail call that began the activation, or nothing.
std::optional<std::size_t> tail_call_of(const View& view, std::int64_t activation) {
  if (view.frame(activation) == nullptr) return std::nullopt;
  const Activation& target = view.run().activations[static_cast<std::size_t>(activation)];
  if (target.replaced < 0 || target.replaced >= activation || target.entered_by < 0) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(target.entered_by);
}

// The chain of tail calls grows up to this one: where did it begin to? The first tail call of a
// chain lands where a call would have, if it is right.
std::size_t growth_begins(const View& view, std::int64_t activation, std::size_t found_at) {
  std::size_t begin = found_at;
  if (!view.landing_below_entry(activation)) return begin;
  while (const auto event = tail_call_of(view, activation)) {
    const Frame& frame = *view.frame(activation);
    const std::uint64_t landing =
        view.run().activations[static_cast<std::size_t>(activation)].entry_sp;
    if (landing >= frame.entry_sp - *view.landing_below_entry()) break;
    begin = *event;
    activation = view.run().activations[static_cast<std::size_t>(activation)].replaced;
  }
  return begin;
}

std::optional<Violation> unbalanced_event(const View& view, Unseen& unseen) {
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    std::optional<Violation> violation;
    if (events[i].kind == EventKind::kReturn) {
      violation = unbalanced_return(view, i);
      unseen.note_if(events[i].returned_sp == 0, NotApplicableReason::kNotSettled);
    }
    if (events[i].kind == EventKind::kTailCallTaken) {
      violation = unbalanced_landing(view, i);
      unseen.note_if(!view.landing_below_entry(events[i].entered),
                     NotApplicableReason::kLandingUnknown);
    }
    if (violation) return violation;
  }
  return moved_in_body(view, unseen);
}

}  // namespace

Answer check_sp_balanced(const View& view) {
  const MachineRun& run = view.run();
  Unseen unseen;
  if (view.misses_tail_calls()) {
    unseen.note(NotApplicableReason::kTailCallsUnseen);
  } else if (auto violation = unbalanced_event(view, unseen)) {
    return *std::move(violation);
  }
  if (run.stop == StopReason::kReturned) {
    const std::uint64_t expected = run.entry_sp + view.platform().geometry.call_pushes;
    if (run.exit_sp != expected) {
      return view.at_end("sp-balanced",
                         fmt::format("the invocation returns with the stack pointer {} than it "
                                     "was entered with",
                                     moved(expected, run.exit_sp)));
    }
  }
  return unseen.held_if(true, NotApplicableReason::kStopped);
}

Answer check_stack_growth_bounded(const View& view) {
  const MachineRun& run = view.run();
  bool looked = false;
  Unseen unseen;
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    const std::int32_t entered = run.events[i].entered;
    if (run.events[i].kind != EventKind::kTailCallTaken || view.frame(entered) == nullptr) continue;
    const Activation& target = run.activations[static_cast<std::size_t>(entered)];
    if (view.frame(target.replaced) == nullptr) continue;
    const Activation& replaced = run.activations[static_cast<std::size_t>(target.replaced)];
    // Landings compare with landings: the first of the chain was entered by a call.
    if (replaced.replaced < 0) continue;
    const bool is_known =
        view.landing_below_entry(entered) && view.landing_below_entry(target.replaced);
    unseen.note_if(!is_known, NotApplicableReason::kLandingUnknown);
    if (!is_known) continue;
    looked = true;
    if (target.entry_sp >= replaced.entry_sp) continue;
    const std::size_t begin = growth_begins(view, entered, i);
    return view.at_event(
        "stack-growth-bounded", begin, run.events[begin].activation,
        fmt::format("each tail call of the chain takes more stack: it lands {} than the one before",
                    moved(replaced.entry_sp, target.entry_sp)));
  }
  return unseen.held_if(looked, NotApplicableReason::kNoTailCallChain);
}

// No contract may ask for less than the platform does.
Answer check_sp_aligned_at_call(const View& view) {
  const auto by_contract = static_cast<std::uint64_t>(view.image().contract.call_alignment);
  const std::uint64_t alignment = by_contract != 0 ? by_contract : view.platform().call_alignment;
  Unseen unseen;
  bool looked = false;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const EventKind kind = events[i].kind;
    const bool is_call =
        kind == EventKind::kCall || kind == EventKind::kHelperCall || kind == EventKind::kThrow;
    if (!is_call) continue;
    looked = true;
    unseen.note_if(by_contract == 0, NotApplicableReason::kAlignmentUnknown);
    if (events[i].sp % alignment == 0) continue;
    return view.at_event("sp-aligned-at-call", i, events[i].activation,
                         fmt::format("the stack pointer is {} modulo {} at a call",
                                     events[i].sp % alignment, alignment));
  }
  return unseen.held_if(looked, NotApplicableReason::kNoCalls);
}

Answer check_sp_aligned_at_access(const View& view) {
  const std::uint64_t alignment = view.platform().sp_alignment;
  if (alignment == 0) return not_applicable(NotApplicableReason::kNoAlignmentRule);
  for (const StackAccess& access : view.run().accesses) {
    if (access.sp % alignment == 0) continue;
    return view.at_access(
        "sp-aligned-at-access", access,
        fmt::format("the stack pointer is {} modulo {} where {} accesses the stack",
                    access.sp % alignment, alignment,
                    access.pc == 0 ? "a helper" : view.code_name(access.pc)));
  }
  return held_if(!view.run().accesses.empty(), NotApplicableReason::kNoStackAccess);
}

}  // namespace plumb::invariants
