// SPDX-License-Identifier: GPL-2.0-or-later
//
// The part of the observer that follows control through thunks: code of the image that belongs to
// no function. It enters programs, makes calls for functions, and takes frames down that functions
// share. What a thunk does counts as done by the function whose code led there.
#include "machine/observer.h"

namespace plumb::machine {
namespace {

// Calls of thunks in thunks: the kernel's return thunk that fills the return stack buffer has 16.
// Deeper ones are taken for control that is lost.
constexpr std::size_t kMaxOpenThunkCalls = 64;

}  // namespace

void Observer::arrive_in_thunk(const Block& from, std::uint64_t address) {
  drop_dead_thunk_calls(from);
  const auto back = target_.return_address_of_call(*engine_, memory_, from, address);
  if (!back) return;
  if (open_thunk_calls().size() >= kMaxOpenThunkCalls) {
    return wild("calls of thunks by thunks lead to", address);
  }
  push_call({.return_address = *back,
             .sp = engine_->read(target_.facts().stack_pointer),
             .parent = innermost_,
             .activation = current_});
  thunk_calls_.push_back({.shadow = innermost_, .is_from_stubs = map_->in_stubs(from.end - 1)});
}

// The entry is in a thunk, which arrives at the main function.
void Observer::enter_program(Role role, const Block& from, std::uint64_t address) {
  drop_dead_thunk_calls(from);
  if (role.function() != entry_function_ || !role.has(Role::kEntry)) {
    return wild("before the program began, control arrived at", address);
  }
  is_entered_ = true;
  note_landing(from, address, -1);
  Activation& main = run_->activations.front();
  main.entry_sp = engine_->read(target_.facts().stack_pointer);
  const auto back = target_.return_address_of_call(*engine_, memory_, from, address);
  if (!back) return;
  main.return_address = *back;
  begin_program_call(*back);
}

// A thunk calls a main function: for an activation that has begun otherwise.
void Observer::begin_program_call(std::uint64_t return_address) {
  const NativeRegister frame_pointer = image_->registers.frame_pointer;
  if (frame_pointer.is_known()) {
    const std::uint64_t fp = pass_thunk_records(engine_->read(frame_pointer.number()));
    const auto thunks = open_thunk_calls();
    const std::int32_t outer =
        thunks.empty() ? innermost_
                       : run_->shadow[static_cast<std::size_t>(thunks.front().shadow)].parent;
    ShadowFrame& frame = run_->shadow[static_cast<std::size_t>(outer)];
    frame.keeps_record = is_record_below(fp, frame.sp);
  }
  push_call({.return_address = return_address,
             .sp = engine_->read(target_.facts().stack_pointer),
             .parent = innermost_,
             .activation = current_});
}

// No BPF function calls a main function.
bool Observer::is_tail_call_by_thunk(Role role, const Block& from, const Call& call) const {
  return map_->function(role).function == 0 && role.has(Role::kTailCallEntry) && !call.is_jump &&
         map_->in_thunk(from.end - 1);
}

void Observer::call_program(Role role, const Call& call) {
  take_tail_call(role, map_->function(role).address);
  if (stopped_) return;
  run_->activations.back().return_address = call.back;
  begin_program_call(call.back);
}

std::span<const Observer::ThunkCall> Observer::open_thunk_calls() const {
  std::int32_t shadow = innermost_;
  std::size_t first = thunk_calls_.size();
  while (first > 0 && thunk_calls_[first - 1].shadow == shadow) {
    shadow = run_->shadow[static_cast<std::size_t>(shadow)].parent;
    --first;
  }
  return std::span(thunk_calls_).subspan(first);
}

// By a function that called a thunk, which called on or jumped on. A jump is a call as long as the
// callee would return where the call of the thunk has to.
std::optional<Observer::Call> Observer::call_through_thunks(
    const Block& from, std::optional<std::uint64_t> back) const {
  const TargetFacts& facts = target_.facts();
  if (!back) {
    const std::uint64_t returns_to = facts.link < 0
                                         ? memory_.stack_word(engine_->read(facts.stack_pointer))
                                         : code_address(facts.arch, engine_->read(facts.link));
    if (!map_->in_thunk(from.end - 1) || returns_to != innermost().return_address) {
      return std::nullopt;
    }
  }
  const auto thunks = open_thunk_calls();
  const ShadowFrame& outermost = run_->shadow[static_cast<std::size_t>(thunks.front().shadow)];
  return Call{.return_address = outermost.return_address,
              .sp = outermost.sp + facts.frame.call_pushes,
              .is_from_stubs = thunks.front().is_from_stubs,
              .is_through_thunks = true,
              .is_jump = !back,
              .back = back.value_or(innermost().return_address),
              .shadow = outermost.parent};
}

std::uint64_t Observer::arrival_sp(const MachineEvent& event, const Call& call) const {
  if (call.is_through_thunks) return engine_->read(target_.facts().stack_pointer);
  return event.sp - target_.facts().frame.call_pushes;
}

// The call that the last event begins is in progress from now on.
void Observer::begin_call(const MachineEvent& event, const Call& call) {
  if (!call.is_jump) {
    return push_call({.return_address = call.back,
                      .sp = arrival_sp(event, call),
                      .parent = innermost_,
                      .activation = current_,
                      .event = last_event()});
  }
  // The call of the thunk has become that of the callee.
  ShadowFrame& frame = run_->shadow[static_cast<std::size_t>(innermost_)];
  frame.activation = current_;
  frame.event = last_event();
  frame.keeps_record = true;
  thunk_calls_.pop_back();
}

void Observer::push_call(const ShadowFrame& frame) {
  run_->shadow.push_back(frame);
  sources_.push_back(source_end_);
  innermost_ = static_cast<std::int32_t>(run_->shadow.size() - 1);
}

// A call that has no event ends.
void Observer::end_thunk_call() {
  if (!thunk_calls_.empty() && thunk_calls_.back().shadow == innermost_) thunk_calls_.pop_back();
  innermost_ = innermost().parent;
  if (open_return_ < 0 || !open_thunk_calls().empty()) return;
  MachineEvent& event = run_->events[static_cast<std::size_t>(open_return_)];
  if (event.returned_sp != 0) return;
  read_registers(event);
  come_back(event);
}

// Thunks drop return addresses: those that call what they jump to (retpolines), those that leave a
// program at once. True: the innermost call was such a one.
bool Observer::drop_dead_thunk_call(const Block& from) {
  if (innermost_ == 0 || innermost().event >= 0 || !map_->in_thunk(from.end - 1)) return false;
  if (engine_->read(target_.facts().stack_pointer) <= innermost().sp) return false;
  end_thunk_call();
  return true;
}

// A thunk goes on in a function by a jump, not back from a call.
void Observer::leave_thunks() {
  while (!open_thunk_calls().empty()) end_thunk_call();
}

bool Observer::is_record_below(std::uint64_t frame_pointer, std::uint64_t sp) const {
  const auto offset = target_.facts().frame.record_from_frame_pointer();
  const std::uint64_t record = frame_pointer + static_cast<std::uint64_t>(offset);
  return memory_.is_stack_word(record) && record < sp;
}

// From a frame pointer inside thunks to that of the code which called them. Notes which of them
// keep frame records.
std::uint64_t Observer::pass_thunk_records(std::uint64_t frame_pointer) {
  const auto thunks = open_thunk_calls();
  for (std::size_t i = thunks.size(); i-- > 0;) {
    ShadowFrame& frame = run_->shadow[static_cast<std::size_t>(thunks[i].shadow)];
    frame.keeps_record = is_record_below(frame_pointer, frame.sp);
    if (!frame.keeps_record) continue;
    const auto offset = target_.facts().frame.record_from_frame_pointer();
    frame_pointer = memory_.stack_word(frame_pointer + static_cast<std::uint64_t>(offset));
  }
  return frame_pointer;
}

}  // namespace plumb::machine
