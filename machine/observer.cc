// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/observer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/case.h"
#include "core/insn.h"
#include "core/unwind/replay.h"

namespace plumb::machine {

void Observer::begin(const Subject& subject, std::size_t entry) {
  engine_ = subject.engine;
  image_ = subject.image;
  map_ = subject.map;
  run_ = subject.run;
  options_ = subject.options;
  mock_.begin(*image_);
  c_calls_.begin(*image_);
  stopped_ = false;
  current_ = 0;
  innermost_ = 0;
  thunk_calls_.clear();
  sources_.clear();
  const NativeFunction& main = image_->functions[entry];
  entry_function_ = entry;
  is_entered_ = image_->entry == main.address;
  const Contract& contract = image_->contract;
  caller_restores_ =
      contract.r6_r9_saved_by == Side::kCaller || contract.r10_moved_by == Side::kCaller;
  const auto has_own_r10 = [](const NativeFunction& f) { return f.r10_register.is_known(); };
  knows_r10_ =
      image_->registers.r10_bias.has_value() &&
      (image_->registers.bpf[10].is_known() || std::ranges::any_of(image_->functions, has_own_r10));
  open_return_ = -1;
  due_at_ = 0;
  next_shadow_ = -1;
  keeps_steps_ = subject.keeps_steps && options_.depth != Depth::kFast;
  if (options_.depth == Depth::kInterrupts) {
    interrupts_ = unwind::StackBelow(unwind::no_stack(), image_->arch);
  }
  previous_ = {};
  source_end_ = 0;
  run_->tail_calls_seen = map_->tells_tail_calls();
  run_->activations.push_back({.program = main.program,
                               .function = main.function,
                               .caller = -1,
                               .replaced = -1,
                               .entry_sp = run_->entry_sp,
                               .return_address = image_->placement.exit,
                               .r10 = 0});
  run_->shadow.push_back({.return_address = image_->placement.exit, .sp = run_->entry_sp});
  sources_.push_back(0);
  // The kernel calls programs through pointers.
  if (image_->landing.wants_pad()) add_landing(true, image_->entry, -1);
  if (image_->code_rule.wants_code()) copy_code();
}

void Observer::copy_code() {
  const auto below = static_cast<std::uint64_t>(image_->code_rule.cfi.hash_below);
  for (const NativeFunction& function : image_->functions) {
    FunctionCode code{.begin = function.address - below, .bytes = {}};
    // The arena is one piece of memory.
    const std::uint8_t* const bytes = map_->bytes(code.begin);
    if (bytes != nullptr && image_->arena.contains(code.begin, below + function.size)) {
      code.bytes.assign(bytes, bytes + below + function.size);
    }
    run_->code.push_back(std::move(code));
  }
}

// Of the function that has just returned, and the event that says so is there.
void Observer::note_return(const Block& from, std::uint32_t activation) {
  if (image_->code_rule.return_addresses_signed != Tristate::kYes) return;
  if (!map_->role(from.end - 1).in_function()) return;
  run_->returns.push_back({.end = from.end, .event = last_event(), .activation = activation});
}

void Observer::on_block(std::uint64_t address, std::uint32_t size) {
  if (stopped_) return;
  if (options_.depth == Depth::kFast && ++run_->instructions > options_.block_budget) {
    return stop(StopReason::kBudget, "ran out of basic blocks");
  }
  const Role role = map_->role(address);
  const Block from = previous_;
  previous_ = {address, address + size, map_->bytes(address)};
  const bool is_first = from.end == 0;
  if (previous_.bytes == nullptr) return wild("control arrived at", address);
  if (!is_first) arrive(role, from, address);
  if (!stopped_ && role.in_function()) run_in_function(role);
}

void Observer::run_in_function(Role role) {
  source_end_ = previous_.end;
  // A block is straight code, so its ends tell where all of it is.
  if (role.same_function(map_->role(previous_.end - 1))) return;
  const NativeFunction& f = map_->function(role);
  const std::uint64_t end = f.address + f.size;
  const bool stays_in_thunk = map_->in_thunk(end) && map_->in_thunk(previous_.end - 1);
  if (!stays_in_thunk) return wild("code runs on into", previous_.end);
  source_end_ = end;
}

void Observer::arrive(Role role, const Block& from, std::uint64_t address) {
  if (target_.reached_by_return(*engine_, memory_, from, address) &&
      arrive_by_return(from, address)) {
    return;
  }
  if (role.in_function()) return arrive_in_function(role, from, address);
  if (map_->in_stubs(address)) return arrive_in_stubs(from, address);
  if (map_->in_thunk(address)) return arrive_in_thunk(from, address);
  wild("control arrived at", address);
}

// False when the return is a jump in disguise: the return of a retpoline.
bool Observer::arrive_by_return(const Block& from, std::uint64_t address) {
  do {
    const ShadowFrame& frame = innermost();
    if (innermost_ > 0 && frame.return_address == address) {
      const std::uint32_t returns = current_;
      end_call(frame);
      if (current_ != returns) note_return(from, returns);
      return true;
    }
  } while (drop_dead_thunk_call(from));
  if (map_->in_thunk(from.end - 1)) return false;
  wild("a return landed at", address);
  return true;
}

void Observer::end_call(const ShadowFrame& frame) {
  if (frame.event < 0) return end_thunk_call();
  const std::int32_t began = frame.event;
  const MachineEvent& call = run_->events[static_cast<std::size_t>(began)];
  const std::uint32_t ended = current_;
  source_end_ = sources_[static_cast<std::size_t>(innermost_)];
  innermost_ = frame.parent;
  current_ = call.activation;
  if (call.kind == EventKind::kHelperCall) return;
  const Place at = call.at;
  MachineEvent& event = record(EventKind::kReturn, at, 0, call.pc);
  event.entered = static_cast<std::int32_t>(ended);
  event.call = began;
  open_return_ = last_event();
  if (open_thunk_calls().empty()) return come_back(event);
  event.settled = false;
}

// Control is back in the function that called.
void Observer::come_back(MachineEvent& event) {
  event.returned_sp = event.sp;
  const EventKind kind = run_->events[static_cast<std::size_t>(event.call)].kind;
  event.settled = !caller_restores_ || kind != EventKind::kCall;
  if (!event.settled) due_at_ = map_->next_insn(event.at).value_or(0);
}

// The caller's next BPF instruction begins.
void Observer::settle() {
  MachineEvent& event = run_->events[static_cast<std::size_t>(open_return_)];
  read_registers(event);
  event.settled = true;
  open_return_ = -1;
  due_at_ = 0;
}

void Observer::arrive_in_function(Role role, const Block& from, std::uint64_t address) {
  if (!is_entered_) return enter_program(role, from, address);
  drop_dead_thunk_calls(from);
  if (const auto call = call_to(from, address)) {
    if (!role.has(Role::kEntry)) return wild("a call landed inside", address);
    note_landing(from, address, last_event() + 1);
    if (is_tail_call_by_thunk(role, from, *call)) return call_program(role, *call);
    return enter_by_call(role, *call);
  }
  if (!thunk_calls_.empty()) leave_thunks();
  const Role source = map_->role(source_end_ - 1);
  const bool fell_through = from.end == address;
  if (!fell_through && is_tail_call_landing(role, source, address)) {
    note_landing(from, address, last_event() + 1);
    return take_tail_call(role, address);
  }
  // A program that tail-calls itself, too: the rest of a tail call's code stays out of prologues.
  const bool misses_entry =
      !fell_through && source.has(Role::kTailCall) && is_in_prologue(role, address);
  if (!role.same_function(source) || misses_entry) return wild("a jump landed inside", address);
  if (role.has(Role::kAfterTailCall)) {
    const Place place = source_place();
    if (map_->role(source_end_ - 1).has(Role::kTailCall) &&
        map_->place(address - 1).slot == place.slot) {
      return refuse_tail_call(address);
    }
  }
  if (role.has(Role::kSlotStart) && needs_r10()) {
    RegisterFile registers{};
    engine_->read_all(registers);
    note_r10(registers);
  }
}

// How a block that arrives in a function or at a helper's stub was called: by the block before it,
// or through thunks.
std::optional<Observer::Call> Observer::call_to(const Block& from, std::uint64_t address) const {
  const auto back = target_.return_address_of_call(*engine_, memory_, from, address);
  if (!thunk_calls_.empty() && !open_thunk_calls().empty()) return call_through_thunks(from, back);
  if (!back) return std::nullopt;
  return Call{.return_address = *back,
              .is_from_stubs = map_->in_stubs(from.end - 1),
              .back = *back,
              .shadow = innermost_};
}

void Observer::arrive_in_stubs(const Block& from, std::uint64_t address) {
  const Placement& placement = image_->placement;
  if (address >= placement.routines) {
    if (!map_->in_stubs(from.end - 1)) return wild("control arrived at", address);
    return run_c_code(address);
  }
  drop_dead_thunk_calls(from);
  const auto call = call_to(from, address);
  const auto helper = placement.helper_at(address);
  if (!call || !helper || !is_entered_) return wild("control arrived at", address);
  *helper == kThrowStub ? call_throw(*call) : call_helper(*helper, *call);
}

// The body of a C function.
void Observer::run_c_code(std::uint64_t address) {
  const CCalls::Outcome outcome = c_calls_.arrive(*engine_, address);
  if (outcome.ends) mock_.leave(*engine_);
  if (outcome.problem == nullptr) return;
  run_->fault_pc = source_end_ == 0 ? address : source_end_ - 1;
  if (outcome.is_lost_throw) run_->throws.back().walk = c_calls_.last_throw();
  stop(outcome.is_lost_throw ? StopReason::kLostThrow : StopReason::kFault, outcome.problem);
}

void Observer::enter_by_call(Role role, const Call& call) {
  const NativeFunction& f = map_->function(role);
  const std::int32_t helper_event = run_->shadow[static_cast<std::size_t>(call.shadow)].event;
  const bool is_callback = call.is_from_stubs && helper_event >= 0;
  if (is_callback &&
      run_->events[static_cast<std::size_t>(helper_event)].kind == EventKind::kThrow) {
    return enter_exception_callback(role, call);
  }
  const Place at =
      is_callback ? run_->events[static_cast<std::size_t>(helper_event)].at : source_place();
  const auto kind = is_callback ? EventKind::kCallback : EventKind::kCall;
  MachineEvent& event = record_call(kind, at, f.function, call);
  event.entered = static_cast<std::int32_t>(run_->activations.size());
  if (is_callback) event.call = helper_event;
  const Side r10_moved_by = image_->contract.r10_moved_by;
  if (!is_callback && r10_moved_by == Side::kCallee) note_r10(event.registers);
  run_->activations.push_back({.program = f.program,
                               .function = f.function,
                               .caller = static_cast<std::int32_t>(current_),
                               .replaced = -1,
                               .entry_sp = arrival_sp(event, call),
                               .return_address = call.back,
                               .r10 = 0,
                               .entered_by = last_event(),
                               .helper_event = event.call});
  current_ = static_cast<std::uint32_t>(event.entered);
  if (!is_callback && r10_moved_by == Side::kCaller) note_r10(event.registers);
  begin_call(event, call);
}

void Observer::call_helper(std::int32_t number, const Call& call) {
  const HelperInfo* const helper = find_helper(number);
  const bool is_callable = helper != nullptr && number != kTailCallHelper;
  if (!is_callable) return wild("a call of a helper that has no mock:", previous_.begin);
  const Place at = source_place();
  const MachineEvent& event = record_call(EventKind::kHelperCall, at, number, call);
  note_r10(event.registers);
  begin_call(event, call);
  if (number == kLoopHelper)
    return c_calls_.enter(CFunction::kLoop, mock_.enter(*engine_, CFunction::kLoop));
  const MockOutcome outcome = mock_.call(*engine_, *helper, event.registers);
  if (outcome.problem != nullptr) {
    run_->fault_pc = call.return_address;
    run_->fault_address = outcome.problem_address;
    return stop(StopReason::kFault,
                fmt::format("{}: {}", outcome.problem, map_->describe(outcome.problem_address)));
  }
  record_helper_writes(outcome.written, event.sp);
}

// kFull: every instruction. kFast: those that CodeMap::watched() names.
void Observer::on_instruction(std::uint64_t address) {
  if (stopped_) return;
  const Role role = map_->role(address);
  if (options_.depth != Depth::kFast) {
    if (++run_->instructions > options_.block_budget) {
      return stop(StopReason::kBudget, "ran out of instructions");
    }
    if (next_shadow_ >= 0) take_over_if_due(role);
    if (keeps_steps_) add_step(address);
    if (options_.depth == Depth::kInterrupts) interrupt();
  }
  if (address == due_at_) settle();
  if (role.has(Role::kEntry) && previous_.begin != address) fall_into(role, address);
  if (role.has(Role::kAfterTailCall) && previous_.begin != address) refuse_tail_call(address);
  if (options_.injected != nullptr && run_->steps.size() == options_.injected->step + 1) {
    inject(*options_.injected, address);
  }
}

// The kernel's entry code keeps the registers right below the stack pointer, and its handlers run
// below them; no code of the kernel has a red zone.
void Observer::interrupt() {
  const std::uint64_t sp = engine_->read(target_.facts().stack_pointer);
  const Range& stack = image_->placement.stack;
  if (!stack.contains(sp) && sp != stack.address + stack.size) return;
  const std::uint64_t size = std::min(kInterruptReach, sp - stack.address);
  if (size == 0) return;
  std::uint8_t* const below = memory_.at(sp - size, size);
  std::memset(below, kInterruptedStack, size);
  memory_.note_stack_write(sp - size);
  if (!keeps_steps_) return;
  if (size < unwind::StackBelow::kMostLaid) return;
  interrupts_.interrupt(unwind::cursor_at(run_->steps.back(), image_->arch),
                        unwind::mark_of(image_->arch));
  const auto frame = interrupts_.bytes();
  std::memcpy(below + (size - frame.size()), frame.data(), frame.size());
  ++run_->interrupts;
}

// A thunk runs on into the function: the block has two parts.
void Observer::fall_into(Role role, std::uint64_t address) {
  const std::uint64_t passed = address - previous_.begin;
  if (passed >= previous_.size() || !map_->in_thunk(address - 1)) return;
  const Block from{.begin = previous_.begin, .end = address, .bytes = previous_.bytes};
  previous_ = {.begin = address, .end = previous_.end, .bytes = previous_.bytes + passed};
  arrive_in_function(role, from, address);
  if (!stopped_) run_in_function(role);
}

void Observer::inject(InjectedStore& store, std::uint64_t pc) {
  const Range& stack = image_->placement.stack;
  if (!stack.contains(store.address) || !stack.contains(store.address + 7)) return;
  store.before = memory_.stack_word(store.address);
  const std::uint64_t value = store.adds ? store.before + store.value : store.value;
  memory_.set_stack_word(store.address, value);
  run_->accesses.push_back({.pc = pc,
                            .address = store.address,
                            .sp = engine_->read(target_.facts().stack_pointer),
                            .value = value,
                            .activation = current_,
                            .event = last_event(),
                            .size = 8,
                            .kind = AccessKind::kWrite,
                            .is_push = false,
                            .step = last_step()});
  run_->lowest_sp = std::min(run_->lowest_sp, store.address);
}

void Observer::on_fault(FaultKind kind, std::uint64_t address) {
  if (stopped_) return;
  constexpr std::string_view kVerbs[] = {"read of", "write to", "execution of"};
  run_->fault_address = address;
  run_->fault_pc = kind == FaultKind::kExecute ? address : engine_->program_counter();
  stop(StopReason::kFault, fmt::format("{} {} at {}", kVerbs[static_cast<std::size_t>(kind)],
                                       map_->describe(address), map_->describe(run_->fault_pc)));
}

void Observer::stop(StopReason reason, std::string detail) {
  if (stopped_) return;
  stopped_ = true;
  run_->stop = reason;
  run_->detail = std::move(detail);
  engine_->stop();
}

void Observer::wild(std::string_view what, std::uint64_t address) {
  run_->fault_pc = source_end_ == 0 ? address : source_end_ - 1;
  run_->fault_address = address;
  stop(StopReason::kWildJump, fmt::format("{} {}, from {}", what, map_->describe(address),
                                          map_->describe(run_->fault_pc)));
}

void Observer::finish(EngineStatus status) {
  const std::uint64_t pc = engine_->program_counter();
  if (!stopped_) {
    switch (status) {
      case EngineStatus::kStopped:
        finish_at_end();
        break;
      case EngineStatus::kFault:
        run_->stop = StopReason::kFault;
        run_->detail = fmt::format("bad access at {}", map_->describe(pc));
        run_->fault_pc = pc;
        break;
      case EngineStatus::kInvalidInsn:
      case EngineStatus::kTrap:
        run_->stop = StopReason::kInvalidInsn;
        run_->fault_pc = trap_address(pc, status);
        run_->detail =
            fmt::format("{} at {}", status == EngineStatus::kTrap ? "trap" : "invalid instruction",
                        map_->describe(run_->fault_pc));
        break;
      case EngineStatus::kFailed:
        run_->stop = StopReason::kEmulatorFailed;
        run_->detail = engine_->message();
        run_->fault_pc = pc;
        break;
    }
  }
  engine_->read_all(run_->exit_registers);
  run_->exit_sp = run_->exit_registers[static_cast<std::size_t>(target_.facts().stack_pointer)];
  run_->result = run_->exit_registers[static_cast<std::size_t>(target_.facts().result)];
  run_->caller_stack_changed = caller_stack_changed();
}

std::uint64_t Observer::trap_address(std::uint64_t pc, EngineStatus status) const {
  const std::uint8_t* const before = map_->bytes(pc - 1);
  return before != nullptr ? target_.trap_address(pc, *before, status) : pc;
}

// The engine ended without an error: at the exit address, or halted.
void Observer::finish_at_end() {
  const std::uint64_t pc = engine_->program_counter();
  if (pc != image_->placement.exit) {
    run_->stop = StopReason::kInvalidInsn;
    run_->fault_pc = trap_address(pc, EngineStatus::kStopped);
    run_->detail = fmt::format("halted at {}", map_->describe(run_->fault_pc));
    return;
  }
  const bool returned = target_.reached_by_return(*engine_, memory_, previous_, pc);
  drop_dead_thunk_calls(previous_);
  if (!is_entered_) return wild("before the program began, control arrived at", pc);
  if (!returned) return wild("without a return, control arrived at", pc);
  if (innermost_ != 0) return wild("from inside a call, a return landed at", pc);
  record(EventKind::kExit, source_place(), 0, pc);
  note_return(previous_, current_);
  if (!stopped_) run_->stop = StopReason::kReturned;
}

}  // namespace plumb::machine
