// SPDX-License-Identifier: GPL-2.0-or-later
//
// The part of the observer that tells tail calls from branches, and sees what indirect jumps and
// calls land on.
#include <fmt/format.h>

#include "core/case.h"
#include "machine/observer.h"

namespace plumb::machine {

// Where a layout lets tail calls land on the first instruction of the body, a loop back to that
// instruction lands there as well: the place that the jump came from tells them apart.
bool Observer::is_tail_call_landing(Role role, Role source, std::uint64_t address) const {
  if (!role.has(Role::kTailCallEntry)) return false;
  const NativeFunction& f = map_->function(role);
  if (f.function != 0) return false;
  if (!role.same_function(source)) return true;
  if (f.tail_call_entry_unknown) return source.has(Role::kTailCall) && leaves_insn(address);
  return source.has(Role::kTailCall) || f.insn_offsets.empty() || is_in_prologue(role, address);
}

// Does a jump there lead out of the code of the BPF instruction that it is in, and not just behind
// it?
bool Observer::leaves_insn(std::uint64_t address) const {
  const Place source = source_place();
  return map_->place(address).slot != source.slot && map_->next_insn(source) != address;
}

bool Observer::is_in_prologue(Role role, std::uint64_t address) const {
  const NativeFunction& f = map_->function(role);
  return !f.insn_offsets.empty() && address - f.address < f.insn_offsets.front();
}

void Observer::take_tail_call(Role role, std::uint64_t address) {
  const NativeFunction& f = map_->function(role);
  MachineEvent& event = record(EventKind::kTailCallTaken, source_place(), f.program, address);
  event.entered = static_cast<std::int32_t>(run_->activations.size());
  walk_frames(event);
  const Activation replaced = run_->activations[current_];
  run_->activations.push_back({.program = f.program,
                               .function = f.function,
                               .caller = replaced.caller,
                               .replaced = static_cast<std::int32_t>(current_),
                               .entry_sp = event.sp,
                               .return_address = replaced.return_address,
                               .r10 = 0,
                               .entered_by = static_cast<std::int32_t>(run_->events.size() - 1),
                               .helper_event = replaced.helper_event});
  current_ = static_cast<std::uint32_t>(event.entered);
  if (++run_->tail_calls > kTailCallLimit) {
    stop(StopReason::kTailCallBound,
         fmt::format("took tail call {}, {} are allowed", run_->tail_calls, kTailCallLimit));
  }
}

void Observer::refuse_tail_call(std::uint64_t address) {
  const MachineEvent& event =
      record(EventKind::kTailCallRefused, map_->place(address - 1), 0, address);
  note_r10(event.registers);
}

void Observer::note_landing(const Block& from, std::uint64_t address, std::int32_t event) {
  if (!image_->landing.wants_pad()) return;
  // The return at the end of a retpoline looks for no pad.
  if (target_.reached_by_return(*engine_, memory_, from, address)) return;
  const Arrival arrival = target_.arrival(from, address);
  if (arrival == Arrival::kDirect) return;
  add_landing(arrival == Arrival::kIndirectCall, address, event);
}

void Observer::add_landing(bool is_call, std::uint64_t address, std::int32_t event) {
  Landing landing{.pc = address, .word = 0, .event = event, .is_call = is_call};
  if (is_call) landing.pc -= static_cast<std::uint64_t>(image_->landing.call_preamble);
  if (const std::uint8_t* const bytes = map_->bytes(landing.pc)) landing.word = load_word(bytes);
  run_->landings.push_back(landing);
}

}  // namespace plumb::machine
