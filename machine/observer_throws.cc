// SPDX-License-Identifier: GPL-2.0-or-later
//
// Throws: of all calls in progress those up to the boundary end, and the exception callback goes on
// in the boundary's place.
#include <algorithm>

#include "core/insn.h"
#include "machine/observer.h"

namespace plumb::machine {

// The next activation of a main function, from the one that throws outwards; -1: none.
std::int32_t Observer::boundary_of(std::uint32_t thrower) const {
  auto at = static_cast<std::int32_t>(thrower);
  while (at >= 0) {
    const Activation& activation = run_->activations[static_cast<std::size_t>(at)];
    if (activation.function == 0) return at;
    at = activation.caller;
  }
  return -1;
}

// A tail call's target is in the call that entered the first of its chain.
std::int32_t Observer::shadow_of(std::int32_t activation) const {
  const auto of = [this](std::int32_t at) -> const Activation& {
    return run_->activations[static_cast<std::size_t>(at)];
  };
  while (of(activation).replaced >= 0) activation = of(activation).replaced;
  const std::int32_t began = of(activation).entered_by;
  for (std::int32_t at = innermost_; at > 0;
       at = run_->shadow[static_cast<std::size_t>(at)].parent) {
    if (run_->shadow[static_cast<std::size_t>(at)].event == began && began >= 0) return at;
  }
  return 0;
}

std::uint64_t Observer::boundary_sp(std::uint32_t thrower, std::int32_t boundary) const {
  auto at = static_cast<std::int32_t>(thrower);
  if (at == boundary) return run_->events.back().sp;
  const auto of = [this](std::int32_t i) -> const Activation& {
    return run_->activations[static_cast<std::size_t>(i)];
  };
  while (of(at).caller != boundary) at = of(at).caller;
  while (of(at).replaced >= 0) at = of(at).replaced;
  return run_->events[static_cast<std::size_t>(of(at).entered_by)].sp;
}

void Observer::call_throw(const Call& call) {
  const Place at = source_place();
  const MachineEvent& event = record_call(EventKind::kThrow, at, kNoFunction, call);
  note_r10(event.registers);
  const std::int32_t boundary = boundary_of(current_);
  run_->throws.push_back({.walk = {},
                          .event = last_event(),
                          .boundary = boundary,
                          .boundary_sp = boundary < 0 ? 0 : boundary_sp(current_, boundary)});
  begin_call(event, call);
  c_calls_.enter(CFunction::kThrow, mock_.enter(*engine_, CFunction::kThrow));
}

void Observer::enter_exception_callback(Role role, const Call& call) {
  const NativeFunction& f = map_->function(role);
  MachineThrow& thrown = run_->throws.back();
  thrown.walk = c_calls_.last_throw();
  MachineEvent& event = run_->events[static_cast<std::size_t>(thrown.event)];
  event.target = f.function;
  if (thrown.boundary < 0) return stop(StopReason::kLostThrow, "a throw is in no main function");
  const Activation boundary = run_->activations[static_cast<std::size_t>(thrown.boundary)];
  event.entered = static_cast<std::int32_t>(run_->activations.size());
  run_->activations.push_back({.program = f.program,
                               .function = f.function,
                               .caller = boundary.caller,
                               .replaced = thrown.boundary,
                               .entry_sp = boundary.entry_sp,
                               .return_address = boundary.return_address,
                               .r10 = 0,
                               .entered_by = thrown.event,
                               .helper_event = boundary.helper_event});
  const std::int32_t boundary_call = shadow_of(thrown.boundary);
  std::erase_if(thunk_calls_, [=](const ThunkCall& c) { return c.shadow > boundary_call; });
  current_ = static_cast<std::uint32_t>(event.entered);
  if (options_.depth == Depth::kFast) {
    innermost_ = boundary_call;
    return;
  }
  push_call({.return_address = call.back,
             .sp = engine_->read(target_.facts().stack_pointer),
             .parent = innermost_,
             .activation = current_});
  next_shadow_ = boundary_call;
}

// Up to the instruction that makes the stack pointer or the frame pointer the boundary's, the
// callback is called by C code, as unwinders see it.
void Observer::take_over_if_due(Role role) {
  const ThrowWalk& walk = run_->throws.back().walk;
  const bool has_fp = engine_->read(target_.facts().frame_pointer) == walk.fp;
  const bool has_sp = walk.sp != 0 && engine_->read(target_.facts().stack_pointer) >= walk.sp;
  if (!has_fp && !has_sp && !role.has(Role::kSlotStart)) return;
  innermost_ = next_shadow_;
  next_shadow_ = -1;
}

}  // namespace plumb::machine
