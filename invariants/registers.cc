// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <bit>
#include <optional>

#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

// Those of R6 ... R9 that are known.
struct Saved {
  RegisterSet set = 0;
  bool all_known = true;
};

Saved bpf_saved(const Image& image) {
  Saved saved;
  for (std::size_t number = 6; number <= 9; ++number) {
    const NativeRegister native = image.registers.bpf[number];
    if (native.is_known()) {
      saved.set |= RegisterSet{1} << native.number();
    } else {
      saved.all_known = false;
    }
  }
  return saved;
}

// The first register of the set that differs, or -1.
int first_changed(RegisterSet set, const RegisterFile& before, const RegisterFile& after) {
  for (; set != 0; set &= set - 1) {
    const int number = std::countr_zero(set);
    if (before[static_cast<std::size_t>(number)] != after[static_cast<std::size_t>(number)]) {
      return number;
    }
  }
  return -1;
}

NativeRegister r10_register(const View& view, std::int64_t activation) {
  const Frame* frame = view.frame(activation);
  return view.image().r10_register(frame != nullptr ? frame->native : nullptr);
}

bool is_callee_saved(const View& view, NativeRegister native) {
  return native.is_known() && (view.platform().callee_saved >> native.number() & 1) != 0;
}

// The call event of a return, or null.
const MachineEvent* call_of(const View& view, std::size_t index) {
  if (view.run().events[index].kind != EventKind::kReturn) return nullptr;
  const std::int32_t call = view.run().events[index].call;
  return call < 0 ? nullptr : &view.run().events[static_cast<std::size_t>(call)];
}

// Of the return of a BPF function to the one that called it: which registers are the caller's again
// where the event has them, or why none is.
struct Returned {
  RegisterSet set = 0;
  std::optional<NotApplicableReason> unseen = std::nullopt;
};

// R6 ... R9 have a row of their own. Where the caller moves R10, the call has the callee's.
Returned callee_saved_at_return(const View& view, const MachineEvent& call,
                                const MachineEvent& back) {
  const Contract& contract = view.image().contract;
  if (contract.r6_r9_saved_by == Side::kUnknown) {
    return {.unseen = NotApplicableReason::kSavedByUnknown};
  }
  if (!back.settled) return {.unseen = NotApplicableReason::kNotSettled};
  Returned returned{.set = view.platform().callee_saved & ~bpf_saved(view.image()).set};
  if (contract.r10_moved_by == Side::kCallee) return returned;
  for (const std::int64_t activation :
       {std::int64_t{call.activation}, std::int64_t{back.entered}}) {
    const NativeRegister r10 = r10_register(view, activation);
    if (!r10.is_known()) return {.unseen = NotApplicableReason::kR10RegisterUnknown};
    returned.set &= ~(RegisterSet{1} << r10.number());
  }
  return returned;
}

}  // namespace

Answer check_r6_r9_survive_calls(const View& view) {
  bool looked = false;
  Unseen unseen;
  const Saved saved = bpf_saved(view.image());
  const bool is_settled_by_contract = view.image().contract.r6_r9_saved_by != Side::kUnknown;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const MachineEvent* call = call_of(view, i);
    if (call == nullptr || call->kind != EventKind::kCall) continue;
    unseen.note_if(!is_settled_by_contract, NotApplicableReason::kSavedByUnknown);
    unseen.note_if(!saved.all_known, NotApplicableReason::kSavedRegistersUnknown);
    unseen.note_if(!events[i].settled, NotApplicableReason::kNotSettled);
    if (!is_settled_by_contract || !events[i].settled) continue;
    looked = true;
    const int changed = first_changed(saved.set, call->registers, events[i].registers);
    if (changed < 0) continue;
    return view.at_event("r6-r9-survive-calls", i, view.run().events[i].entered,
                         fmt::format("a call changes {}", view.register_name(changed)));
  }
  return unseen.held_if(looked, NotApplicableReason::kNoBpfCalls);
}

Answer check_callee_saved_preserved(const View& view) {
  const MachineRun& run = view.run();
  const RegisterSet all = view.platform().callee_saved;
  Unseen unseen;
  unseen.note_if(view.misses_tail_calls(), NotApplicableReason::kTailCallsUnseen);
  for (std::size_t i = 0; i < run.events.size() && !view.misses_tail_calls(); ++i) {
    const MachineEvent* call = call_of(view, i);
    if (call == nullptr) continue;
    // A callback is called by the kernel: there R6 ... R9 are nothing but callee-saved registers.
    const Returned returned = call->kind == EventKind::kCallback
                                  ? Returned{.set = all}
                                  : callee_saved_at_return(view, *call, run.events[i]);
    if (returned.unseen) unseen.note(*returned.unseen);
    const int changed = first_changed(returned.set, call->registers, run.events[i].registers);
    if (changed < 0) continue;
    return view.at_event("callee-saved-preserved", i, view.run().events[i].entered,
                         fmt::format("a call changes {}", view.register_name(changed)));
  }
  if (run.stop != StopReason::kReturned) return not_applicable(NotApplicableReason::kStopped);
  const int changed = first_changed(all, run.entry_registers, run.exit_registers);
  if (changed < 0) return unseen.held_if(true, NotApplicableReason::kStopped);
  return view.at_end("callee-saved-preserved", fmt::format("the invocation returns with {} changed",
                                                           view.register_name(changed)));
}

namespace {

// Does R10's register hold that of a frame, at this event? Then its activation, or -1. Or why that
// is not known.
struct Shown {
  std::int64_t activation = -1;
  std::optional<NotApplicableReason> unseen = std::nullopt;
};

Shown shows_r10(const View& view, std::size_t index) {
  const MachineEvent& event = view.run().events[index];
  const Side moved_by = view.image().contract.r10_moved_by;
  switch (event.kind) {
    case EventKind::kCall:
      if (moved_by == Side::kUnknown) return {.unseen = NotApplicableReason::kR10MovedByUnknown};
      // Moved by the caller, it is the callee's already.
      if (moved_by == Side::kCaller) return {};
      return {.activation = event.activation};
    case EventKind::kHelperCall:
    case EventKind::kTailCallRefused:
    case EventKind::kThrow:
      return {.activation = event.activation};
    case EventKind::kReturn: {
      const MachineEvent* call = call_of(view, index);
      if (call == nullptr || call->kind != EventKind::kCall) return {};
      if (moved_by == Side::kUnknown) return {.unseen = NotApplicableReason::kR10MovedByUnknown};
      if (!event.settled) return {.unseen = NotApplicableReason::kNotSettled};
      // The registers are the caller's again. A caller-saved R10 comes back only behind the return.
      const bool is_back =
          moved_by == Side::kCaller || is_callee_saved(view, r10_register(view, call->activation));
      return is_back ? Shown{.activation = call->activation} : Shown{};
    }
    case EventKind::kCallback:       // the registers are the helper's
    case EventKind::kTailCallTaken:  // the target has not set up its own yet
    case EventKind::kExit:
      break;
  }
  return {};
}

}  // namespace

Answer check_r10_stable(const View& view) {
  bool looked = false;
  Unseen unseen;
  unseen.note_if(view.misses_refusals(), NotApplicableReason::kOffsetsUnknown);
  const bool sets_up_always_known = view.image().contract.r10_only_where_used != Tristate::kUnknown;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Shown shown = shows_r10(view, i);
    if (shown.unseen) unseen.note(*shown.unseen);
    if (shown.activation < 0) continue;
    const Frame* frame = view.frame(shown.activation);
    if (frame == nullptr) {
      unseen.note(NotApplicableReason::kR10Unknown);
      continue;
    }
    if (!frame->uses_r10) {
      unseen.note_if(!sets_up_always_known, NotApplicableReason::kR10UseUnknown);
      continue;
    }
    const auto r10 = view.r10(events[i], shown.activation);
    if (!r10 || frame->r10 == 0) {
      unseen.note(view.why_r10_unknown(*frame));
      continue;
    }
    looked = true;
    if (*r10 == frame->r10) continue;
    return view.at_event(
        "r10-stable", i, shown.activation,
        fmt::format("R10 has moved to {}", view.stack_name(*r10, shown.activation)));
  }
  return unseen.held_if(looked, NotApplicableReason::kNoCalls);
}

}  // namespace plumb::invariants
