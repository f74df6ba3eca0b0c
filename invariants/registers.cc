// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <bit>

#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

RegisterSet bpf_saved(const Image& image) {
  RegisterSet set = 0;
  for (int number = 6; number <= 9; ++number) {
    set |= RegisterSet{1} << image.registers.bpf[static_cast<std::size_t>(number)].number();
  }
  return set;
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

// "native register 3 (R6)"
std::string register_name(const View& view, int native) {
  for (std::size_t number = 0; number < view.image().registers.bpf.size(); ++number) {
    if (view.image().registers.bpf[number].number() == native) {
      return fmt::format("native register {} (R{})", native, number);
    }
  }
  return fmt::format("native register {}", native);
}

int r10_register(const View& view, std::int64_t activation) {
  const Frame* frame = view.frame(activation);
  return view.image().r10_register(frame != nullptr ? frame->native : nullptr).number();
}

bool is_callee_saved(const View& view, int native) {
  return (view.platform().callee_saved >> native & 1) != 0;
}

// The call event of a return, or null.
const MachineEvent* call_of(const View& view, std::size_t index) {
  if (view.run().events[index].kind != EventKind::kReturn) return nullptr;
  const std::int32_t call = view.run().events[index].call;
  return call < 0 ? nullptr : &view.run().events[static_cast<std::size_t>(call)];
}

}  // namespace

Answer check_r6_r9_survive_calls(const View& view) {
  bool looked = false;
  const RegisterSet saved = bpf_saved(view.image());
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const MachineEvent* call = call_of(view, i);
    if (call == nullptr || call->kind != EventKind::kCall) continue;
    looked = true;
    const int changed = first_changed(saved, call->registers, events[i].registers);
    if (changed < 0) continue;
    return view.at_event("r6-r9-survive-calls", i, view.run().events[i].entered,
                         fmt::format("a call changes {}", register_name(view, changed)));
  }
  return held_if(looked, NotApplicableReason::kNoBpfCalls);
}

Answer check_callee_saved_preserved(const View& view) {
  const MachineRun& run = view.run();
  const RegisterSet all = view.platform().callee_saved;
  const RegisterSet others = all & ~bpf_saved(view.image());
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    const MachineEvent* call = call_of(view, i);
    if (call == nullptr) continue;
    // A callback is called by the kernel: there R6 ... R9 are nothing but callee-saved registers.
    const RegisterSet set = call->kind == EventKind::kCallback ? all : others;
    const int changed = first_changed(set, call->registers, run.events[i].registers);
    if (changed < 0) continue;
    return view.at_event("callee-saved-preserved", i, view.run().events[i].entered,
                         fmt::format("a call changes {}", register_name(view, changed)));
  }
  if (run.stop != StopReason::kReturned) return not_applicable(NotApplicableReason::kStopped);
  const int changed = first_changed(all, run.entry_registers, run.exit_registers);
  if (changed < 0) return Held{};
  return view.at_end("callee-saved-preserved", fmt::format("the invocation returns with {} changed",
                                                           register_name(view, changed)));
}

Answer check_r10_stable(const View& view) {
  bool looked = false;
  bool unknown = false;
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    std::int64_t activation = events[i].activation;
    switch (events[i].kind) {
      case EventKind::kCall:
      case EventKind::kHelperCall:
      case EventKind::kTailCallRefused:
        break;
      case EventKind::kReturn: {
        const MachineEvent* call = call_of(view, i);
        if (call == nullptr || call->kind != EventKind::kCall) continue;
        activation = call->activation;  // the registers are the caller's again
        // A caller-saved R10 comes back only behind the return.
        if (!is_callee_saved(view, r10_register(view, activation))) continue;
        break;
      }
      case EventKind::kCallback:       // the registers are the helper's
      case EventKind::kTailCallTaken:  // the target has not set up its own yet
      case EventKind::kExit:
        continue;
    }
    const Frame* frame = view.frame(activation);
    if (frame != nullptr && !frame->uses_r10) continue;
    if (frame == nullptr || frame->r10 == 0) {
      unknown = true;
      continue;
    }
    looked = true;
    const auto native = static_cast<std::size_t>(r10_register(view, activation));
    const std::uint64_t r10 =
        events[i].registers[native] +
        static_cast<std::uint64_t>(std::int64_t{*view.image().registers.r10_bias});
    if (r10 == frame->r10) continue;
    return view.at_event("r10-stable", i, activation,
                         fmt::format("R10 has moved to {}", view.stack_name(r10, activation)));
  }
  if (unknown) return not_applicable(NotApplicableReason::kR10Unknown);
  return held_if(looked, NotApplicableReason::kNoCalls);
}

}  // namespace plumb::invariants
