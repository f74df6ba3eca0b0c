// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/testing_run.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/guest.h"
#include "core/helper_model.h"
#include "invariants/testing_image.h"

namespace plumb::invariants {
namespace {

constexpr std::uint64_t kLoopReturn = kBuiltArena + 0x8008;  // where callbacks return to
constexpr std::uint32_t kCountOffset = 3;  // in the code of a tail call: where the count is written

// The rows of bodies: the run has no other instructions.
unwind::CodeKnowledge built_knowledge(const Image& image) {
  std::vector<unwind::Row> jit_rows;
  std::vector<Range> jit_code;
  for (const NativeFunction& function : image.functions) {
    const BuiltLayout layout = built_layout(image.arch, function.function == 0);
    const std::uint64_t below = layout.frame_pointer_below + layout.call_pushes;
    const auto from_cfa = [below](std::int64_t from_frame_pointer) {
      return static_cast<std::int32_t>(from_frame_pointer - static_cast<std::int64_t>(below));
    };
    unwind::Row row{.begin = function.address,
                    .base = unwind::Row::Base::kFramePointer,
                    .cfa_offset = static_cast<std::int32_t>(below),
                    .fp_offset = from_cfa(layout.record_saved)};
    if (layout.record_saved != layout.record_return) row.ra_offset = from_cfa(layout.record_return);
    jit_rows.push_back(row);
    jit_code.push_back({.address = function.address, .size = function.size});
  }
  std::ranges::sort(jit_rows, {}, &unwind::Row::begin);
  const std::uint64_t exit = image.placement.exit;
  std::vector<unwind::Row> c_rows{
      unwind::row_with_record(image.arch, image.placement.stubs.address),
      {.begin = image.placement.stubs.address + image.placement.stubs.size,
       .kind = unwind::Row::Kind::kUnknown},
      {.begin = exit - 1, .kind = unwind::Row::Kind::kOutermost},
      {.begin = exit + 1, .kind = unwind::Row::Kind::kUnknown}};
  const auto of_interrupts = unwind::interrupt_rows(image.arch);
  c_rows.insert(c_rows.end(), of_interrupts.begin(), of_interrupts.end());
  std::vector<Range> text = jit_code;
  text.push_back(image.placement.stubs);
  text.push_back({.address = exit - 1, .size = 2});
  text.push_back(unwind::kInterruptCode);
  return {.jit_rows = unwind::Rows(image.arch, std::move(jit_rows)),
          .c_rows = unwind::Rows(image.arch, std::move(c_rows)),
          .jit_code = std::move(jit_code),
          .fp_ranges = {},
          .text = std::move(text)};
}

}  // namespace

std::size_t BuiltRun::nth(EventKind kind, int n) const {
  std::size_t index = 0;
  for (; index < run.events.size(); ++index) {
    if (run.events[index].kind == kind && n-- == 0) break;
  }
  PLUMB_CHECK(index < run.events.size());
  return index;
}

void BuiltRun::tell(const std::function<void(unwind::CodeKnowledge&)>& change) {
  unwind::CodeKnowledge knowledge = *run.knowledge;
  change(knowledge);
  run.knowledge = std::make_shared<const unwind::CodeKnowledge>(std::move(knowledge));
}

StackAccess& BuiltRun::store(int n) {
  const auto it = std::ranges::find_if(run.accesses, [&](const StackAccess& access) {
    return !access.is_push && access.value == kStoredValue && n-- == 0;
  });
  PLUMB_CHECK(it != run.accesses.end());
  return *it;
}

StackStore& BuiltRun::oracle_store(int n) {
  PLUMB_CHECK(static_cast<std::size_t>(n) < execution.stack_stores.size());
  return execution.stack_stores[static_cast<std::size_t>(n)];
}

StackAccess& BuiltRun::count(int n) {
  const auto it = std::ranges::find_if(run.accesses, [&](const StackAccess& access) {
    return access.pc % kBuiltInsn == kCountOffset && n-- == 0;
  });
  PLUMB_CHECK(it != run.accesses.end());
  return *it;
}

RunBuilder::RunBuilder(Arch arch) : outer_(built_layout(arch, true)), sp_(guest::kStackTop - 64) {
  built_.value = built_case();
  built_.image = built_image(built_.value, outer_);
  for (std::size_t i = 0; i < registers_.size(); ++i) registers_[i] = 0xdead'0000 + i;
  registers_[outer_.registers.frame_pointer.number()] = kPoisonFramePointer;
  registers_[outer_.registers.bpf[0].number()] = 0;  // the count starts
  registers_[outer_.registers.bpf[1].number()] =
      guest::context_address(built_.value.context.size());
  const std::uint64_t call_sp = sp_;
  sp_ -= outer_.call_pushes;
  memory_[sp_] = guest::kExitAddress;
  registers_[outer_.sp] = sp_;
  if (outer_.has_link()) registers_[outer_.link] = guest::kExitAddress;
  built_.run.entry_sp = sp_;
  built_.run.entry_registers = registers_;
  open_.push_back({.activation = 0, .call_slot = 0, .call_sp = call_sp, .saved = registers_});
  begin_call(-1, guest::kExitAddress, 0);
  enter(0, 0, guest::kExitAddress, -1);
}

void RunBuilder::begin_call(std::int32_t event, std::uint64_t return_address,
                            std::uint32_t activation) {
  auto& shadow = built_.run.shadow;
  shadow.push_back({.return_address = return_address,
                    .sp = sp_,
                    .parent = innermost_,
                    .activation = activation,
                    .event = event});
  innermost_ = static_cast<std::int32_t>(shadow.size() - 1);
}

const NativeFunction& RunBuilder::native() const {
  const Activation& activation = built_.run.activations[open_.back().activation];
  const NativeFunction* native =
      built_.image.find_function(activation.program, activation.function);
  PLUMB_CHECK(native != nullptr);
  return *native;
}

Place RunBuilder::place_of(std::int32_t slot) const {
  const Activation& activation = built_.run.activations[open_.back().activation];
  return {.program = static_cast<std::int16_t>(activation.program),
          .function = static_cast<std::int16_t>(activation.function),
          .slot = slot};
}

std::uint64_t RunBuilder::pc_of(std::int32_t slot) const {
  return native().address + native().insn_offsets[static_cast<std::size_t>(slot)];
}

// Subprograms call nothing here.
BuiltLayout RunBuilder::layout() const {
  const Activation& activation = built_.run.activations[open_.back().activation];
  const bool makes_calls = activation.function == 0;
  return built_layout(outer_.arch, makes_calls);
}

void RunBuilder::save(std::uint64_t pc, std::uint64_t address, std::uint64_t value, bool is_push) {
  built_.run.accesses.push_back({.pc = pc,
                                 .address = address,
                                 .sp = sp_,
                                 .value = value,
                                 .activation = open_.back().activation,
                                 .event = last_event(),
                                 .size = 8,
                                 .kind = AccessKind::kWrite,
                                 .is_push = is_push,
                                 .step = last_step()});
  memory_[address] = value;
}

// Of the invocation, wherever it is run from.
void RunBuilder::write_count(std::int32_t slot) {
  if (!outer_.counts_on_stack) return;
  save(pc_of(slot) + kCountOffset, count_word_, memory_[count_word_] + 1, false);
}

void RunBuilder::push(std::uint64_t pc, std::uint64_t value) {
  save(pc, sp_ - 8, value, true);
  sp_ -= 8;
}

void RunBuilder::arrive(std::uint64_t pc, std::uint64_t return_address) {
  if (outer_.has_link()) {
    registers_[outer_.link] = return_address;
  } else {
    push(pc, return_address);
    // The machine sees the call behind its push.
    --built_.run.accesses.back().event;
  }
}

// The frame on top of open_ begins; sp is as on arrival, or at the landing of the tail call.
void RunBuilder::enter(int program, int function, std::uint64_t return_address,
                       std::int32_t replaced) {
  auto& activations = built_.run.activations;
  const std::int32_t caller =
      open_.size() > 1 ? static_cast<std::int32_t>(open_[open_.size() - 2].activation) : -1;
  // Of a tail call the last event, of all others the one that opened the frame.
  auto& events = built_.run.events;
  const bool is_tail_call = replaced >= 0;
  const std::int32_t event =
      is_tail_call ? static_cast<std::int32_t>(events.size() - 1) : open_.back().event;
  std::int32_t helper_event = -1;
  if (event >= 0) {
    MachineEvent& begins = events[static_cast<std::size_t>(event)];
    begins.entered = static_cast<std::int32_t>(activations.size());
    helper_event =
        is_tail_call ? activations[static_cast<std::size_t>(replaced)].helper_event : begins.call;
  }
  open_.back().activation = static_cast<std::uint32_t>(activations.size());
  activations.push_back({.program = program,
                         .function = function,
                         .caller = caller,
                         .replaced = replaced,
                         .entry_sp = sp_,
                         .return_address = return_address,
                         .r10 = 0,
                         .entered_by = event,
                         .helper_event = helper_event});
  built_.execution.activation_function.push_back(
      static_cast<std::uint32_t>(program * kMaxFunctions + function));
  prologue(replaced >= 0);
}

void RunBuilder::prologue(bool by_tail_call) {
  const BuiltLayout frame = layout();
  const std::uint64_t arrival = sp_ + (by_tail_call ? frame.landing_below : 0);
  const std::uint64_t r10 = arrival - frame.stack_below;
  for (const SavedWord& word : frame.saved) {
    if (by_tail_call && word.pc < frame.landing) continue;
    sp_ = frame.sp_moves_first ? r10 - *native().stack_size : arrival - word.sp_below;
    save(native().address + word.pc, arrival - word.below, registers_[word.number], word.is_push());
    note_count_word(word.number);
  }
  sp_ = r10 - *native().stack_size;
  std::uint64_t pc = native().address + 20;
  for (const std::size_t number : frame.pushed_behind) {
    push(pc++, registers_[number]);
    note_count_word(number);
  }
  registers_[frame.registers.frame_pointer.number()] = arrival - frame.frame_pointer_below;
  registers_[frame.registers.bpf[10].number()] = r10;
  const std::uint32_t activation = open_.back().activation;
  built_.run.activations[activation].r10 = r10;
  // The body uses what it saved.
  registers_[frame.registers.bpf[6].number()] = 0x6000 + activation;
  registers_[frame.registers.bpf[7].number()] = 0x7000 + activation;
}

// The first function saves the count, which comes in the register of R0.
void RunBuilder::note_count_word(std::size_t saved) {
  if (count_word_ == 0 && saved == outer_.registers.bpf[0].number()) {
    count_word_ = built_.run.accesses.back().address;
  }
}

MachineEvent& RunBuilder::record(EventKind kind, std::int32_t slot, std::int32_t target) {
  const Open& top = open_.back();
  const Place at = place_of(slot);
  registers_[outer_.sp] = sp_;
  MachineEvent event;
  event.kind = kind;
  event.activation = top.activation;
  event.at = at;
  event.target = target;
  event.sp = sp_;
  event.registers = registers_;
  event.shadow = innermost_;
  built_.run.events.push_back(event);
  Event oracle;
  oracle.kind = kind;
  oracle.activation = top.activation;
  oracle.at = at;
  oracle.target = target;
  built_.execution.trace.push_back(oracle);
  return built_.run.events.back();
}

void RunBuilder::record_chain(MachineEvent& event) {
  event.chain_begin = static_cast<std::uint32_t>(built_.run.frames.size());
  std::uint64_t frame_pointer = registers_[outer_.registers.frame_pointer.number()];
  while (frame_pointer != kPoisonFramePointer) {
    const std::uint64_t saved =
        memory_[frame_pointer + static_cast<std::uint64_t>(outer_.record_saved)];
    const std::uint64_t back =
        memory_[frame_pointer + static_cast<std::uint64_t>(outer_.record_return)];
    built_.run.frames.push_back(
        {.frame_pointer = frame_pointer, .saved = saved, .return_address = back});
    ++event.chain_size;
    frame_pointer = saved;
  }
}

void RunBuilder::add_step(std::int32_t slot) { add_step_at(pc_of(slot)); }

void RunBuilder::add_step_at(std::uint64_t pc) {
  built_.run.steps.push_back({.pc = pc,
                              .sp = sp_,
                              .fp = registers_[outer_.registers.frame_pointer.number()],
                              .lr = outer_.has_link() ? registers_[outer_.link] : 0,
                              .shadow = innermost_,
                              .activation = open_.back().activation,
                              .event = last_event()});
}

void RunBuilder::store(std::int32_t slot, std::int64_t r10_offset) {
  add_step(slot);
  const Activation& activation = built_.run.activations[open_.back().activation];
  built_.run.accesses.push_back({.pc = pc_of(slot),
                                 .address = activation.r10 + static_cast<std::uint64_t>(r10_offset),
                                 .sp = sp_,
                                 .value = kStoredValue,
                                 .activation = open_.back().activation,
                                 .event = last_event(),
                                 .size = 8,
                                 .kind = AccessKind::kWrite,
                                 .is_push = false,
                                 .step = last_step()});
  built_.execution.stack_stores.push_back(
      {.by = StackStore::By::kStore,
       .size = 8,
       .helper_size = 0,
       .at = place_of(slot),
       .event = last_event(),
       .target = Value::pointer(Space::kStack, open_.back().activation, r10_offset),
       .value = Value::scalar(kStoredValue)});
}

void RunBuilder::call(std::int32_t slot, int function) {
  add_step(slot);
  const std::uint64_t return_address = pc_of(slot) + outer_.call_size;
  // R1 = the caller's R10 - 8, a pointer; R2 = 42.
  registers_[outer_.registers.bpf[1].number()] =
      built_.run.activations[open_.back().activation].r10 - 8;
  registers_[outer_.registers.bpf[2].number()] = 42;
  MachineEvent& event = record(EventKind::kCall, slot, function);
  event.pc = return_address;
  record_chain(event);
  built_.execution.trace.back().args[0] =
      Value::pointer(Space::kStack, open_.back().activation, -8);
  built_.execution.trace.back().args[1] = Value::scalar(42);
  const int program = built_.run.activations[open_.back().activation].program;
  const Open frame{.activation = 0,
                   .event = last_event(),
                   .call_slot = slot,
                   .call_sp = sp_,
                   .saved = registers_};
  arrive(pc_of(slot), return_address);
  open_.push_back(frame);
  begin_call(frame.event, return_address, next_activation());
  enter(program, function, return_address, -1);
}

void RunBuilder::helper(std::int32_t slot, std::int32_t number) {
  add_step(slot);
  MachineEvent& event = record(EventKind::kHelperCall, slot, number);
  event.pc = pc_of(slot) + outer_.call_size;
  record_chain(event);
  helper_event_ = last_event();
  const std::int32_t outer = innermost_;
  const std::uint64_t sp = sp_;
  sp_ -= outer_.call_pushes;
  begin_call(helper_event_, event.pc, event.activation);
  sp_ = sp;
  helper_ = std::exchange(innermost_, outer);
}

// Helpers have a frame record of their own; the machine does not report how they make it.
void RunBuilder::into_helper(std::uint64_t return_address) {
  const std::uint64_t arrival = sp_ - outer_.call_pushes;
  const std::uint64_t frame_pointer = arrival - outer_.frame_pointer_below;
  std::uint64_t& native_frame_pointer = registers_[outer_.registers.frame_pointer.number()];
  const auto keep = [&](std::int64_t offset, std::uint64_t value) {
    const std::uint64_t address = frame_pointer + static_cast<std::uint64_t>(offset);
    memory_[address] = value;
    built_.run.helper_stores.push_back(
        {.address = address, .value = value, .size = 8, .step = last_step()});
  };
  keep(outer_.record_saved, native_frame_pointer);
  keep(outer_.record_return, return_address);
  native_frame_pointer = frame_pointer;
  sp_ = arrival - 48;
}

void RunBuilder::callback(std::int32_t slot, int function) {
  const RegisterFile before = registers_;
  const std::uint64_t sp = sp_;
  const std::int32_t outer = std::exchange(innermost_, helper_);
  into_helper(pc_of(slot) + outer_.call_size);
  add_step_at(kLoopReturn - outer_.call_size);
  MachineEvent& event = record(EventKind::kCallback, slot, function);
  event.pc = kLoopReturn;
  event.call = helper_event_;
  record_chain(event);
  const Open frame{.activation = 0,
                   .event = last_event(),
                   .call_slot = slot,
                   .call_sp = sp_,
                   .saved = registers_};
  arrive(kLoopReturn - outer_.call_size, kLoopReturn);
  open_.push_back(frame);
  begin_call(frame.event, kLoopReturn, next_activation());
  enter(0, function, kLoopReturn, -1);
  leave();
  registers_ = before;
  sp_ = sp;
  innermost_ = outer;
}

void RunBuilder::leave() {
  const Open frame = open_.back();
  open_.pop_back();
  innermost_ = built_.run.shadow[static_cast<std::size_t>(innermost_)].parent;
  const std::uint64_t return_address = built_.run.activations[frame.activation].return_address;
  const std::uint64_t result = 0x100 + frame.activation;
  registers_ = frame.saved;
  registers_[outer_.result] = result;
  registers_[outer_.registers.bpf[0].number()] = result;
  sp_ = frame.call_sp;
  MachineEvent& event = record(EventKind::kReturn, frame.call_slot, 0);
  event.pc = return_address;
  event.entered = static_cast<std::int32_t>(frame.activation);
  event.call = frame.event;
  event.returned_sp = event.sp;
  built_.execution.trace.back().result = Value::scalar(result);
}

void RunBuilder::tail_call(std::int32_t slot, int program) {
  add_step(slot);
  const auto replaced = static_cast<std::int32_t>(open_.back().activation);
  const BuiltLayout frame = layout();
  write_count(slot);
  const std::uint64_t arrival =
      registers_[frame.registers.frame_pointer.number()] + frame.frame_pointer_below;
  sp_ = arrival - frame.landing_below;
  for (const SavedWord& word : frame.saved) {
    if (word.pc >= frame.landing) registers_[word.number] = memory_[arrival - word.below];
  }
  for (const int number : {6, 7}) {
    const std::size_t native = frame.registers.bpf[static_cast<std::size_t>(number)].number();
    registers_[native] = open_.back().saved[native];
  }
  record(EventKind::kTailCallTaken, slot, program);
  ++built_.run.tail_calls;
  ++built_.execution.tail_calls;
  enter(program, 0, built_.run.activations[static_cast<std::size_t>(replaced)].return_address,
        replaced);
}

void RunBuilder::throw_to(std::int32_t slot, int callback) {
  add_step(slot);
  constexpr std::uint64_t kCookie = 42;
  registers_[outer_.registers.bpf[1].number()] = kCookie;
  MachineEvent& event = record(EventKind::kThrow, slot, callback);
  event.pc = pc_of(slot) + outer_.call_size;
  record_chain(event);
  built_.execution.trace.back().args[0] = Value::scalar(kCookie);
  const std::uint64_t boundary_sp = open_.size() > 1 ? open_[1].call_sp : sp_;
  if (open_.size() > 1) registers_ = open_[1].saved;
  built_.execution.throws.push_back(
      {.ended = static_cast<int>(open_.size()), .callback_stack = 32});
  open_.resize(1);
  const auto boundary = static_cast<std::int32_t>(open_.back().activation);
  const BuiltLayout frame = layout();
  const std::uint64_t fp = registers_[frame.registers.frame_pointer.number()];
  built_.run.throws.push_back({.walk = {.program = 0, .frames = 2, .sp = boundary_sp, .fp = fp},
                               .event = last_event(),
                               .boundary = boundary,
                               .boundary_sp = boundary_sp});
  built_.image.throws = {{.program = 0,
                          .boundary = 0,
                          .callback = callback,
                          .address = built_.image.find_function(0, callback)->address,
                          .sp = ThrowSp::kAtCall}};
  innermost_ = 0;
  sp_ = fp + frame.frame_pointer_below - frame.landing_below;
  for (const int number : {6, 7}) {
    const std::size_t native = frame.registers.bpf[static_cast<std::size_t>(number)].number();
    registers_[native] = open_.back().saved[native];
  }
  enter(0, callback, built_.run.activations[static_cast<std::size_t>(boundary)].return_address,
        boundary);
}

void RunBuilder::refuse(std::int32_t slot, RefusalReason reason) {
  add_step(slot);
  record(EventKind::kTailCallRefused, slot, 0);
  built_.execution.trace.back().reason = reason;
}

BuiltRun RunBuilder::exit(std::int32_t slot) {
  const Open frame = open_.back();
  registers_ = frame.saved;
  sp_ = frame.call_sp;
  registers_[outer_.result] = 7;
  record(EventKind::kExit, slot, 0);
  MachineRun& run = built_.run;
  run.exit_registers = registers_;
  run.exit_sp = sp_;
  run.result = 7;
  run.context = {1, 2, 3, 4, 5, 6, 7, 8};
  // The region holds a pointer to the context, and a byte.
  run.regions = {std::vector<std::uint8_t>(16)};
  const std::uint64_t pointer = guest::context_address(8) + 4;
  for (std::size_t i = 0; i < 8; ++i) {
    run.regions[0][i] = static_cast<std::uint8_t>(pointer >> (8 * i));
  }
  run.regions[0][15] = 9;
  Execution& execution = built_.execution;
  execution.defined = true;
  execution.result = Value::scalar(7);
  execution.trace.back().result = Value::scalar(7);
  execution.context = {.bytes = run.context, .pointers = {}};
  execution.regions = {MemoryImage{.bytes = std::vector<std::uint8_t>(16), .pointers = {}}};
  execution.regions[0].bytes[15] = 9;
  execution.regions[0].pointers = {{.offset = 0, .value = Value::pointer(Space::kContext, 0, 4)}};
  execution.activations = static_cast<std::uint32_t>(run.activations.size());
  run.interrupts = run.steps.size();
  run.knowledge = std::make_shared<const unwind::CodeKnowledge>(built_knowledge(built_.image));
  return built_;
}

BuiltRun good_run(Arch arch) {
  RunBuilder builder(arch);
  builder.store(0, -8);
  builder.call(1, 1);
  builder.store(0, -8);
  builder.tail_call(1, 1);
  builder.store(0, -32);
  builder.refuse(1, RefusalReason::kEmptySlot);
  builder.helper(2, 7);
  builder.leave();
  builder.helper(2, 7);
  builder.refuse(3, RefusalReason::kIndexOutOfRange);
  builder.helper(4, kLoopHelper);
  builder.callback(4, 2);
  builder.callback(4, 2);
  return builder.exit(5);
}

BuiltRun throwing_run(Arch arch) {
  RunBuilder builder(arch);
  builder.store(0, -8);
  builder.call(1, 1);
  builder.store(0, -8);
  builder.throw_to(1, 2);
  builder.store(0, -8);
  return builder.exit(1);
}

void claim(BuiltRun& built) {
  const auto rows = built.run.knowledge->jit_rows.all();
  built.image.unwind_rows.assign(rows.begin(), rows.end());
}

void count_at_empty_slot(BuiltRun& built) {
  built.image.contract.empty_slot_consumes_count = Tristate::kYes;
  StackAccess count = built.count(0);
  count.pc = built.image.functions[3].address + built.image.functions[3].insn_offsets[1] + 3;
  ++count.value;
  count.activation = 2;
  count.event = static_cast<std::int32_t>(built.nth(EventKind::kTailCallTaken));
  const auto index = &built.store(2) - built.run.accesses.data();
  built.run.accesses.insert(built.run.accesses.begin() + index + 1, count);
}

void keep_count_in_frames(BuiltRun& built) {
  built.image.contract.count_in_frames = Tristate::kYes;
  MachineRun& run = built.run;
  // The word of s2: s5 is what a prologue saves last.
  const auto word_of = [&](std::uint32_t activation) -> StackAccess& {
    std::vector<StackAccess*> saved;
    for (StackAccess& access : run.accesses) {
      const NativeFunction* native = built.image.function_at(access.pc);
      if (access.activation != activation || native == nullptr) continue;
      if (access.pc - native->address < native->insn_offsets.front()) saved.push_back(&access);
    }
    return *saved[saved.size() - 2];
  };
  // Behind the n-th store of the program, in the code of slot 1 of its function.
  const auto keep = [&](int store, std::int32_t event) {
    StackAccess count = built.store(store);
    const NativeFunction* native = built.image.function_at(count.pc);
    const bool is_tail_call = event == static_cast<std::int32_t>(built.nth(EventKind::kCall));
    count.pc = native->address + (is_tail_call ? native->insn_offsets[1] + kCountOffset
                                               : native->insn_offsets[2] - 4);
    count.address = word_of(count.activation).address;
    count.value = kTailCallLimit - 1;
    count.size = 8;
    count.event = event;
    // Behind the last access of the moment.
    const auto next = std::ranges::find_if(
        run.accesses, [&](const StackAccess& access) { return access.event > event; });
    run.accesses.insert(next, count);
  };
  word_of(0).value = kTailCallLimit;
  word_of(1).value = kTailCallLimit;
  word_of(2).value = kTailCallLimit - 1;
  keep(0, static_cast<std::int32_t>(built.nth(EventKind::kReturn)));
  keep(1, static_cast<std::int32_t>(built.nth(EventKind::kCall)));
}

BuiltRun tail_call_chain(int count, Arch arch) {
  RunBuilder builder(arch);
  builder.call(1, 1);
  for (int i = 0; i < count; ++i) builder.tail_call(1, 1);
  builder.refuse(1, RefusalReason::kLimitReached);
  builder.leave();
  return builder.exit(5);
}

}  // namespace plumb::invariants
