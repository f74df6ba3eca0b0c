// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/builder.h"

#include <limits>

#include "core/check.h"

namespace plumb::gen {
namespace {

constexpr std::uint32_t kCallerSaved = 0x3e;  // R1 ... R5

std::size_t index_of(int n) { return static_cast<std::size_t>(n); }

}  // namespace

Builder::Builder(Surroundings surroundings) : surroundings_(std::move(surroundings)) {
  state_.at(kFramePointerRegister) = {.kind = ValueKind::kStack};
}

void Builder::append(const Insn& insn) {
  PLUMB_CHECK(reachable_);
  insns_.push_back(insn);
  ++cost_;
}

void Builder::emit(Opcode id, int dst, int src, int offset, std::int32_t immediate) {
  const OpcodeInfo& info = opcode_info(id);
  append(make_insn(id, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src),
                   static_cast<std::int16_t>(offset), immediate));
  if (is_alu(info.operation)) {
    apply_alu(info, dst, src, immediate);
  } else if (is_atomic(info.operation)) {
    apply_atomic(info, dst, src, offset);
  } else if (info.operation == Operation::kStore) {
    apply_store(info, dst, src, offset);
  } else {
    PLUMB_CHECK(info.operation == Operation::kLoad || info.operation == Operation::kLoadSigned);
    apply_load(info, dst, src, offset);
  }
}

void Builder::apply_alu(const OpcodeInfo& info, int dst, int src, std::int32_t immediate) {
  PLUMB_CHECK(dst != kFramePointerRegister);
  AbstractValue& target = state_.at(dst);
  if (info.id == Opcode::kMov64Reg) {
    PLUMB_CHECK(state_.at(src).kind != ValueKind::kDead);
    target = state_.at(src);
    return;
  }
  if (info.id == Opcode::kAdd64Imm && !target.is_scalar()) {
    PLUMB_CHECK(target.kind == ValueKind::kStack || target.kind == ValueKind::kRegion ||
                target.kind == ValueKind::kBuffer);
    target.offset += immediate;
    return;
  }
  const bool reads_target =
      info.operation != Operation::kMov && info.operation != Operation::kMovsx;
  PLUMB_CHECK(!reads_target || target.is_scalar());
  PLUMB_CHECK(info.operand != Operand::kReg || state_.at(src).is_scalar());
  target = kAnyScalar;
}

void Builder::add_bounded(int dst, int src, int span) {
  PLUMB_CHECK(state_.at(src).is_scalar());
  AbstractValue& target = state_.at(dst);
  PLUMB_CHECK(target.kind == ValueKind::kStack || target.kind == ValueKind::kRegion ||
              target.kind == ValueKind::kBuffer);
  append(
      make_insn(Opcode::kAdd64Reg, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src)));
  target.span += span;
}

void Builder::check_access(const AbstractValue& base, int offset, int size) const {
  const int low = base.offset + offset;
  const int high = low + base.span + size;
  switch (base.kind) {
    case ValueKind::kStack:
      PLUMB_CHECK(low >= -surroundings_.stack_depth && high <= 0 && low % size == 0);
      return;
    case ValueKind::kContext:
      PLUMB_CHECK(low >= 0 && high <= surroundings_.context_size);
      return;
    case ValueKind::kRegion:
      PLUMB_CHECK(low >= 0 && high <= surroundings_.region_sizes[index_of(base.index)]);
      return;
    case ValueKind::kBuffer:
      PLUMB_CHECK(low >= 0 && high <= surroundings_.buffer_sizes[index_of(base.index)]);
      return;
    case ValueKind::kDead:
    case ValueKind::kScalar:
    case ValueKind::kArray:
    case ValueKind::kFunction:
      PLUMB_CHECK(false);
  }
}

void Builder::apply_load(const OpcodeInfo& info, int dst, int src, int offset) {
  PLUMB_CHECK(dst != kFramePointerRegister);
  const AbstractValue base = state_.at(src);
  const int size = info.width / 8;
  check_access(base, offset, size);
  state_.at(dst) = kAnyScalar;
  if (base.kind != ValueKind::kStack) return;
  const int at = base.offset + offset;
  const AbstractValue& spilled = state_.spills[frame_bit(at) / 8];
  if (spilled.kind == ValueKind::kDead) {
    PLUMB_CHECK(state_.readable(at, size + base.span));
    return;
  }
  PLUMB_CHECK(info.id == Opcode::kLoad64 && base.span == 0);
  state_.at(dst) = spilled;
}

void Builder::apply_store(const OpcodeInfo& info, int dst, int src, int offset) {
  const AbstractValue base = state_.at(dst);
  const int size = info.width / 8;
  check_access(base, offset, size);
  const bool stores_pointer = info.operand == Operand::kReg && !state_.at(src).is_scalar();
  if (base.kind != ValueKind::kStack) {
    PLUMB_CHECK(!stores_pointer);
    return;
  }
  const int at = base.offset + offset;
  if (!stores_pointer) {
    if (base.span == 0) state_.write_frame(at, size);
    if (base.span != 0) state_.store_somewhere(at, base.span, size);
    return;
  }
  PLUMB_CHECK(size == 8 && base.span == 0 && state_.at(src).kind != ValueKind::kDead);
  state_.spill(at, state_.at(src));
}

void Builder::apply_atomic(const OpcodeInfo& info, int dst, int src, int offset) {
  const AbstractValue base = state_.at(dst);
  const int size = info.width / 8;
  check_access(base, offset, size);
  PLUMB_CHECK(base.kind != ValueKind::kContext && (base.offset + offset) % size == 0);
  PLUMB_CHECK(base.kind != ValueKind::kStack || state_.readable(base.offset + offset, size));
  PLUMB_CHECK(state_.at(src).is_scalar());
  if (info.operation == Operation::kCmpxchg) PLUMB_CHECK(state_.at(0).is_scalar());
  if (base.kind == ValueKind::kStack) {
    state_.store_somewhere(base.offset + offset, base.span, size);
  }
}

void Builder::append_wide(Opcode id, int dst, std::int32_t low, std::int32_t high) {
  append(make_insn(id, static_cast<std::uint8_t>(dst), 0, 0, low));
  insns_.push_back(Insn{.immediate = high});
}

void Builder::load_imm64(int dst, std::uint64_t value) {
  append_wide(Opcode::kLoadImm64, dst, static_cast<std::int32_t>(value),
              static_cast<std::int32_t>(value >> 32));
  state_.at(dst) = kAnyScalar;
}

void Builder::load_array(int dst, int array) {
  append_wide(Opcode::kLoadArray, dst, array, 0);
  state_.at(dst) = {.kind = ValueKind::kArray, .index = array};
}

void Builder::load_region(int dst, int region, int offset) {
  append_wide(Opcode::kLoadRegion, dst, region, offset);
  state_.at(dst) = {.kind = ValueKind::kRegion, .index = region, .offset = offset};
}

void Builder::load_function(int dst, int function) {
  append_wide(Opcode::kLoadFunction, dst, function, 0);
  state_.at(dst) = {.kind = ValueKind::kFunction, .index = function};
}

void Builder::load_context(int reg) {
  const auto number = static_cast<std::uint8_t>(reg);
  append(make_insn(Opcode::kLoad64, number, number));
  state_.at(reg) = {.kind = ValueKind::kContext};
}

void Builder::check_condition(const OpcodeInfo& info, int dst, int src) const {
  PLUMB_CHECK(is_conditional_jump(info.operation));
  PLUMB_CHECK(state_.at(dst).is_scalar());
  PLUMB_CHECK(info.operand != Operand::kReg || state_.at(src).is_scalar());
}

void Builder::note_jump(Label& to) {
  to.jumps.push_back(insns_.size() - 1);
  to.state = to.state ? merge(*to.state, state_) : state_;
}

void Builder::jump_if(Opcode id, int dst, int src, std::int32_t immediate, Label& to) {
  check_condition(opcode_info(id), dst, src);
  append(
      make_insn(id, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src), 0, immediate));
  note_jump(to);
}

void Builder::jump(Label& to, bool wide) {
  append(make_insn(wide ? Opcode::kJal : Opcode::kJa));
  note_jump(to);
  reachable_ = false;
}

void Builder::close_jump(std::size_t slot, std::size_t target) {
  const auto distance = static_cast<std::int64_t>(target) - static_cast<std::int64_t>(slot) - 1;
  PLUMB_CHECK(set_jump_distance(insns_[slot], distance));
}

void Builder::place(Label& label) {
  for (const std::size_t slot : label.jumps) close_jump(slot, insns_.size());
  if (label.state) {
    state_ = reachable_ ? merge(state_, *label.state) : *label.state;
    reachable_ = true;
  }
  label = {};
}

LoopHead Builder::loop_head(std::uint32_t forget) {
  PLUMB_CHECK(reachable_);
  state_.kill(forget);
  state_.widths.fill(0);
  return {.slot = insns_.size(), .state = state_};
}

void Builder::jump_back_if(Opcode id, int dst, int src, std::int32_t immediate,
                           const LoopHead& to) {
  check_condition(opcode_info(id), dst, src);
  append(
      make_insn(id, static_cast<std::uint8_t>(dst), static_cast<std::uint8_t>(src), 0, immediate));
  PLUMB_CHECK(covers(to.state, state_));
  close_jump(insns_.size() - 1, to.slot);
}

void Builder::jump_back(const LoopHead& to, bool wide) {
  append(make_insn(wide ? Opcode::kJal : Opcode::kJa));
  PLUMB_CHECK(covers(to.state, state_));
  close_jump(insns_.size() - 1, to.slot);
  reachable_ = false;
}

void Builder::call_function(int function, std::uint64_t cost) {
  append(make_insn(Opcode::kCallFunction, 0, 0, 0, function));
  cost_ += cost;
  state_.kill(kCallerSaved);
  state_.at(0) = kAnyScalar;
}

void Builder::call_helper(std::int32_t number) {
  append(make_insn(Opcode::kCallHelper, 0, 0, 0, number));
  state_.kill(kCallerSaved);
  // A tail call returns only when it was refused, and R0 is then whatever the JIT left there.
  state_.at(0) = number == kTailCallHelper ? AbstractValue{} : kAnyScalar;
}

void Builder::exit() {
  PLUMB_CHECK(state_.at(0).is_scalar());
  append(make_insn(Opcode::kExit));
  reachable_ = false;
}

void Builder::throw_cookie() {
  PLUMB_CHECK(state_.at(1).is_scalar());
  append(make_insn(Opcode::kThrow));
  reachable_ = false;
}

}  // namespace plumb::gen
