// SPDX-License-Identifier: GPL-2.0-or-later
//
// The half of the observer that writes down what is seen: events, accesses, frames, steps.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <span>
#include <variant>

#include "core/insn.h"
#include "machine/observer.h"

namespace plumb::machine {
namespace {

// A run that records more than this is in a loop that no defined case can be in (the oracle's fuel
// is 100,000 instructions).
constexpr std::size_t kMaxEvents = 1u << 17;
constexpr std::size_t kMaxAccesses = 1u << 20;
constexpr int kMaxFrameRecords = 512;
constexpr std::uint8_t kCallOpcode = 0x85;
constexpr std::uint8_t kExitOpcode = 0x95;
// StackAccess::size is a byte; a helper can write more than it holds.
constexpr std::uint64_t kMaxAccessSize = 128;
static_assert(kPoisonFramePointer == unwind::kEndOfWalk);

class GuestStack final : public unwind::StackReader {
 public:
  explicit GuestStack(const GuestMemory& memory) : memory_(memory) {}
  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override {
    if (!memory_.is_stack_word(address)) return std::nullopt;
    return memory_.stack_word(address);
  }

 private:
  const GuestMemory& memory_;
};

}  // namespace

void Observer::record_helper_writes(const Range& written, std::uint64_t sp) {
  const Range& stack = memory_.stack_range();
  if (written.size == 0 || !stack.contains(written.address)) return;
  for (std::uint64_t done = 0; done < written.size; done += kMaxAccessSize) {
    const std::uint64_t size = std::min(kMaxAccessSize, written.size - done);
    std::uint64_t value = 0;
    std::memcpy(&value, memory_.at(written.address + done, size), std::min<std::size_t>(size, 8));
    run_->accesses.push_back({.pc = 0,
                              .address = written.address + done,
                              .sp = sp,
                              .value = value,
                              .activation = current_,
                              .event = last_event(),
                              .size = static_cast<std::uint8_t>(size),
                              .kind = AccessKind::kWrite,
                              .is_push = false,
                              .step = last_step()});
  }
  run_->lowest_sp = std::min(run_->lowest_sp, written.address);
}

void Observer::add_step(std::uint64_t pc) {
  const TargetFacts& facts = target_.facts();
  const NativeRegister frame_pointer = image_->registers.frame_pointer;
  const std::array<int, 3> numbers{
      facts.stack_pointer, frame_pointer.is_known() ? frame_pointer.number() : facts.frame_pointer,
      std::max(facts.link, 0)};
  std::array<std::uint64_t, 3> values{};
  engine_->read(std::span(numbers).first(facts.link < 0 ? 2 : 3), values.data());
  run_->steps.push_back({.pc = pc,
                         .sp = values[0],
                         .fp = values[1],
                         .lr = values[2],
                         .shadow = innermost_,
                         .activation = current_,
                         .event = last_event()});
}

std::uint64_t Observer::pushed_bytes(std::uint64_t pc) const {
  const std::uint8_t* const insn = map_->bytes(pc);
  return insn == nullptr ? 0 : target_.pushed_bytes(insn);
}

void Observer::on_stack_access(AccessKind kind, std::uint64_t address, std::uint8_t size,
                               std::uint64_t value) {
  if (stopped_) return;
  if (kind == AccessKind::kWrite) memory_.note_stack_write(address);
  const std::uint64_t pc = engine_->program_counter();
  if (map_->in_stubs(pc)) {  // the loop helper's own frame
    if (!keeps_steps_ || kind != AccessKind::kWrite) return;
    run_->helper_stores.push_back(
        {.address = address, .value = value, .size = size, .step = last_step()});
    return;
  }
  const std::uint64_t sp = engine_->read(target_.facts().stack_pointer);
  const bool is_push =
      kind == AccessKind::kWrite && address < sp && sp - address <= pushed_bytes(pc);
  run_->accesses.push_back({.pc = pc,
                            .address = address,
                            .sp = sp,
                            .value = value,
                            .activation = current_,
                            .event = last_event(),
                            .size = size,
                            .kind = kind,
                            .is_push = is_push,
                            .step = last_step()});
  if (kind == AccessKind::kWrite) run_->lowest_sp = std::min(run_->lowest_sp, address);
  if (needs_r10() && frame_is_set_up(pc)) {
    RegisterFile registers{};
    engine_->read_all(registers);
    note_r10(registers);
  }
  if (run_->accesses.size() >= kMaxAccesses) stop(StopReason::kBudget, "too many stores");
}

// In the body, and not at an instruction whose code also takes the frame down, or makes R10 that of
// another function.
bool Observer::frame_is_set_up(std::uint64_t pc) const {
  const Role role = map_->role(pc);
  if (!role.in_function() || role.has(Role::kTailCall)) return false;
  const Insn* const insn = map_->insn(map_->place(pc));
  if (insn == nullptr || insn->opcode == kExitOpcode) return false;
  const bool is_call = insn->opcode == kCallOpcode && insn->src == kPseudoCall;
  return !is_call || image_->contract.r10_moved_by == Side::kCallee;
}

void Observer::note_r10(const RegisterFile& registers) {
  if (!needs_r10()) return;
  Activation& activation = run_->activations[current_];
  const NativeFunction* native = image_->find_function(activation.program, activation.function);
  const NativeRegister r10 = image_->r10_register(native);
  if (!r10.is_known()) return;
  activation.r10 = registers[r10.number()] +
                   static_cast<std::uint64_t>(std::int64_t{*image_->registers.r10_bias});
}

MachineEvent& Observer::record(EventKind kind, const Place& at, std::int32_t target,
                               std::uint64_t pc) {
  open_return_ = -1;
  due_at_ = 0;
  MachineEvent& event = run_->events.emplace_back();
  event.kind = kind;
  event.activation = current_;
  event.at = at;
  event.target = target;
  event.pc = pc;
  read_registers(event);
  event.shadow = innermost_;
  event.chain_begin = static_cast<std::uint32_t>(run_->frames.size());
  if (run_->events.size() >= kMaxEvents) stop(StopReason::kBudget, "too many events");
  return event;
}

MachineEvent& Observer::record_call(EventKind kind, const Place& at, std::int32_t target,
                                    const Call& call) {
  MachineEvent& event = record(kind, at, target, call.return_address);
  event.sp = call.is_through_thunks ? call.sp : event.sp + target_.facts().frame.call_pushes;
  event.registers[static_cast<std::size_t>(target_.facts().stack_pointer)] = event.sp;
  event.shadow = call.shadow;
  const NativeRegister frame_pointer = image_->registers.frame_pointer;
  if (call.is_through_thunks && frame_pointer.is_known()) {
    std::uint64_t& fp = event.registers[frame_pointer.number()];
    fp = pass_thunk_records(fp);
  }
  walk_frames(event);
  return event;
}

void Observer::read_registers(MachineEvent& event) const {
  engine_->read_all(event.registers);
  event.sp = event.registers[static_cast<std::size_t>(target_.facts().stack_pointer)];
}

void Observer::walk_frames(MachineEvent& event) {
  if (!image_->registers.frame_pointer.is_known()) return;
  const GuestStack stack(memory_);
  unwind::Cursor cursor{.pc = event.pc,
                        .sp = event.sp,
                        .fp = event.registers[image_->registers.frame_pointer.number()],
                        .lr = 0};
  for (int i = 0; i < kMaxFrameRecords; ++i) {
    const unwind::Step step = unwind::step(cursor, stack, rows_);
    if (std::holds_alternative<unwind::End>(step)) break;
    const auto* const caller = std::get_if<unwind::Frame>(&step);
    run_->frames.push_back({.frame_pointer = cursor.fp,
                            .saved = caller != nullptr ? caller->cursor.fp : 0,
                            .return_address = caller != nullptr ? caller->cursor.pc : 0});
    if (caller == nullptr) break;
    cursor = caller->cursor;
  }
  event.chain_size = static_cast<std::uint32_t>(run_->frames.size()) - event.chain_begin;
}

std::uint64_t Observer::caller_stack_changed() const {
  const std::uint64_t caller = run_->entry_sp + target_.facts().frame.call_pushes;
  if (target_.facts().frame.call_pushes != 0) {
    const std::uint64_t seen = memory_.stack_word(run_->entry_sp);
    const std::uint64_t changed = seen ^ image_->placement.exit;
    if (changed != 0) return run_->entry_sp + static_cast<unsigned>(std::countr_zero(changed)) / 8;
  }
  return memory_.first_changed(caller);
}

}  // namespace plumb::machine
