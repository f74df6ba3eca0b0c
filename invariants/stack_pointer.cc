// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the stack pointer is at the edges: calls, returns, tail calls and the exit.
#include <fmt/format.h>

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
         kind == EventKind::kTailCallRefused;
}

std::optional<Violation> unbalanced_return(const View& view, std::size_t index) {
  const MachineEvent& back = view.run().events[index];
  if (back.kind != EventKind::kReturn || back.call < 0) return std::nullopt;
  const MachineEvent& call = view.run().events[static_cast<std::size_t>(back.call)];
  if (back.sp == call.sp) return std::nullopt;
  return view.at_event("sp-balanced", index, back.entered,
                       fmt::format("the stack pointer is {} after the call than before it",
                                   moved(call.sp, back.sp)));
}

// After the unwinding of a tail call, sp stands where a fresh entry's would at the landing point.
std::optional<Violation> unbalanced_landing(const View& view, std::size_t index) {
  const Frame* target = view.frame(view.run().events[index].entered);
  if (target == nullptr || !view.landing_below_entry()) return std::nullopt;
  const std::uint64_t expected = target->entry_sp - *view.landing_below_entry();
  const MachineEvent& event = view.run().events[index];
  if (event.sp == expected) return std::nullopt;
  return view.at_event(
      "sp-balanced", index, event.activation,
      fmt::format("a tail call lands with the stack pointer {} than a call of the target would",
                  moved(expected, event.sp)));
}

// Between BPF instructions sp stands still, below what the prologue has saved: what moves it is a
// refused tail call that has popped already.
std::optional<Violation> moved_in_body(const View& view) {
  if (!view.platform().geometry.constant_sp) return std::nullopt;
  std::int64_t activation = -1;
  std::uint64_t sp = 0;
  for (std::size_t i = 0; i < view.run().events.size(); ++i) {
    const MachineEvent& event = view.run().events[i];
    if (!is_body_event(event.kind)) continue;
    const Frame* frame = view.frame(event.activation);
    if (frame != nullptr && frame->saved_low != 0 && event.sp > frame->saved_low) {
      return view.at_event("sp-balanced", i, event.activation,
                           fmt::format("the stack pointer is {} than what the prologue has saved",
                                       moved(frame->saved_low, event.sp)));
    }
    if (event.activation == activation && event.sp != sp) {
      return view.at_event(
          "sp-balanced", i, activation,
          fmt::format("the stack pointer is {} than at the call before", moved(sp, event.sp)));
    }
    activation = event.activation;
    sp = event.sp;
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
  if (!view.landing_below_entry()) return begin;
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

}  // namespace

Answer check_sp_balanced(const View& view) {
  const MachineRun& run = view.run();
  bool landing_unknown = false;
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    std::optional<Violation> violation;
    if (run.events[i].kind == EventKind::kReturn) violation = unbalanced_return(view, i);
    if (run.events[i].kind == EventKind::kTailCallTaken) {
      violation = unbalanced_landing(view, i);
      landing_unknown |= !view.landing_below_entry();
    }
    if (violation) return *std::move(violation);
  }
  if (auto violation = moved_in_body(view)) return *std::move(violation);
  if (run.stop == StopReason::kReturned) {
    const std::uint64_t expected = run.entry_sp + view.platform().geometry.call_pushes;
    if (run.exit_sp != expected) {
      return view.at_end("sp-balanced",
                         fmt::format("the invocation returns with the stack pointer {} than it "
                                     "was entered with",
                                     moved(expected, run.exit_sp)));
    }
  }
  return held_if(!landing_unknown, NotApplicableReason::kLandingUnknown);
}

Answer check_stack_growth_bounded(const View& view) {
  const MachineRun& run = view.run();
  bool looked = false;
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    const std::int32_t entered = run.events[i].entered;
    if (run.events[i].kind != EventKind::kTailCallTaken || view.frame(entered) == nullptr) continue;
    const Activation& target = run.activations[static_cast<std::size_t>(entered)];
    if (view.frame(target.replaced) == nullptr) continue;
    const Activation& replaced = run.activations[static_cast<std::size_t>(target.replaced)];
    // Landings compare with landings: the first of the chain was entered by a call.
    if (replaced.replaced < 0) continue;
    looked = true;
    if (target.entry_sp >= replaced.entry_sp) continue;
    const std::size_t begin = growth_begins(view, entered, i);
    return view.at_event(
        "stack-growth-bounded", begin, run.events[begin].activation,
        fmt::format("each tail call of the chain takes more stack: it lands {} than the one before",
                    moved(replaced.entry_sp, target.entry_sp)));
  }
  return held_if(looked, NotApplicableReason::kNoTailCallChain);
}

Answer check_sp_aligned_at_call(const View& view) {
  const auto alignment = static_cast<std::uint64_t>(view.image().contract.call_alignment);
  if (alignment == 0) return not_applicable(NotApplicableReason::kNoAlignmentRule);
  bool looked = false;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].kind != EventKind::kCall && events[i].kind != EventKind::kHelperCall) continue;
    looked = true;
    if (events[i].sp % alignment == 0) continue;
    return view.at_event("sp-aligned-at-call", i, events[i].activation,
                         fmt::format("the stack pointer is {} modulo {} at a call",
                                     events[i].sp % alignment, alignment));
  }
  return held_if(looked, NotApplicableReason::kNoCalls);
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
