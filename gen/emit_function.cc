// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/helper_model.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

constexpr std::int32_t kFillHelper = 16;  // bpf_get_current_comm()

AbstractValue argument_value(const Argument& argument, int index) {
  switch (argument.kind) {
    case ArgumentKind::kScalar:
      return kAnyScalar;
    case ArgumentKind::kContext:
    case ArgumentKind::kContextCell:  // loaded at once
      return {.kind = ValueKind::kContext};
    case ArgumentKind::kBuffer:
      return {.kind = ValueKind::kBuffer, .index = index};
  }
  return {};
}

bool passes_context(const Emitter& e) {
  if (!e.function.tail_calls.empty()) return true;
  const auto takes = [&e](const std::vector<int>& callees, ArgumentKind kind) {
    return std::ranges::any_of(callees, [&](int callee) {
      const FunctionPlan& plan = e.program.functions[static_cast<std::size_t>(callee)];
      return std::ranges::find(plan.arguments, kind, &Argument::kind) != plan.arguments.end();
    });
  };
  return takes(e.function.calls, ArgumentKind::kContext) ||
         takes(e.function.callbacks, ArgumentKind::kContextCell);
}

// Keeps the pointer in reg where calls do not destroy it: R6 ... R9, or the frame. What is not
// required is left out when there is no room.
void find_home(Emitter& e, int reg, bool required) {
  RegisterSet free = 0;
  for (int saved = 6; saved <= 9; ++saved) {
    if (e.code.at(saved).kind == ValueKind::kDead) free |= bit(saved);
  }
  const RegisterSet planned = free & e.function.saved;
  const bool prefers_frame = planned == 0 || e.choices.chance(25);
  const std::optional<int> slot = prefers_frame ? free_frame_range(e, 8) : std::nullopt;
  if (slot) {
    e.code.emit(Opcode::kStore64, kFramePointerRegister, reg, *slot);
    for (int i = 0; i < 8; ++i) e.locked_bytes.set(frame_bit(*slot + i));
    return;
  }
  if (planned == 0 && !required) return;
  const int home = e.choices.pick_bit(planned != 0 ? planned : free);
  e.code.emit(Opcode::kMov64Reg, home, reg);
}

// The context stays in R1 up to the only call of the function, a tail call.
bool keeps_context_in_place(Emitter& e) {
  const FunctionPlan& f = e.function;
  const bool possible = f.calls.empty() && f.callbacks.empty() && f.tail_calls.size() == 1 &&
                        e.code.at(1).kind == ValueKind::kContext;
  return possible && e.choices.chance(60);
}

void house_pointers(Emitter& e) {
  const FunctionPlan& f = e.function;
  const bool calls = !f.calls.empty() || !f.callbacks.empty() || !f.tail_calls.empty();
  const bool in_place = keeps_context_in_place(e);
  if (in_place) {
    e.locked |= bit(1);
    e.may_call = false;
  }
  const auto house = [&](ArgumentKind kind, int percent, bool required) {
    for (std::size_t i = 0; i < f.arguments.size(); ++i) {
      const ArgumentKind given = f.arguments[i].kind;
      if ((given == ArgumentKind::kContextCell ? ArgumentKind::kContext : given) != kind) continue;
      if (required || e.choices.chance(percent)) find_home(e, static_cast<int>(i) + 1, required);
    }
  };
  // The context first: it may have to be there.
  if (!in_place) house(ArgumentKind::kContext, 30, passes_context(e));
  house(ArgumentKind::kBuffer, calls ? 90 : 40, false);
}

void fill_saved_registers(Emitter& e) {
  for (int reg = 6; reg <= 9; ++reg) {
    const bool planned = (e.function.saved & bit(reg)) != 0;
    if (!planned || e.code.at(reg).kind != ValueKind::kDead) continue;
    const RegisterSet from = scalars(e) & kScratchRegisters;
    if (from != 0 && e.choices.chance(40)) {
      e.code.emit(Opcode::kMov64Reg, reg, e.choices.pick_bit(from));
    } else {
      e.code.emit(Opcode::kMov64Imm, reg, 0, 0,
                  static_cast<std::int32_t>(e.choices.below(1u << 31)));
    }
  }
}

bool frame_is_locked(const Emitter& e, int offset) { return e.locked_bytes[frame_bit(offset)]; }

// Writes the farthest byte of the frame, so that the depth is what the verifier would compute, and
// often the nearest.
void touch_frame(Emitter& e) {
  const int depth = e.code.surroundings().stack_depth;
  if (depth == 0) return;
  if (!frame_is_locked(e, -depth)) {
    const bool wide = depth % 8 == 0 && e.choices.chance(60);
    e.code.emit(wide ? Opcode::kStoreImm64 : Opcode::kStoreImm8, kFramePointerRegister, 0, -depth,
                draw_immediate(e.choices));
  }
  if (depth > 1 && !frame_is_locked(e, -1) && e.choices.chance(50)) {
    const bool wide = depth >= 8 && e.choices.chance(50);
    e.code.emit(wide ? Opcode::kStoreImm64 : Opcode::kStoreImm8, kFramePointerRegister, 0,
                wide ? -8 : -1, draw_immediate(e.choices));
  }
}

void count_activation(Emitter& e) {
  const int pointer = scratch(e);
  const Hold hold(e, pointer);
  const int value = scratch(e);
  e.code.load_region(pointer, 0, 0);
  if (e.choices.chance(40) && takes(e, Opcode::kAtomicAdd64)) {
    e.code.emit(Opcode::kMov64Imm, value, 0, 0, 1);
    e.code.emit(Opcode::kAtomicAdd64, pointer, value, kCounterOffset);
    return;
  }
  e.code.emit(Opcode::kLoad64, value, pointer, kCounterOffset);
  e.code.emit(Opcode::kAdd64Imm, value, 0, 0, 1);
  e.code.emit(Opcode::kStore64, pointer, value, kCounterOffset);
}

// The whole frame is filled by a helper, and from then on only read: R10 is never the base of a
// store, only a source.
bool can_fill_by_helper(const Emitter& e) {
  const int depth = e.code.surroundings().stack_depth;
  const bool lends = std::ranges::any_of(e.function.callbacks, [&e](int callee) {
    const auto& arguments = e.program.functions[static_cast<std::size_t>(callee)].arguments;
    return arguments[1].kind != ArgumentKind::kScalar;
  });
  return depth >= 8 && depth <= kMaxHelperBytes && !lends;
}

void fill_by_helper(Emitter& e) {
  const int depth = e.code.surroundings().stack_depth;
  e.code.emit(Opcode::kMov64Reg, 1, kFramePointerRegister);
  e.code.emit(Opcode::kAdd64Imm, 1, 0, 0, -depth);
  e.code.emit(Opcode::kMov64Imm, 2, 0, 0, depth);
  e.code.call_helper(kFillHelper);
  e.code.filled_frame(-depth, depth);
}

void prologue(Emitter& e) {
  for (std::size_t i = 0; i < e.function.arguments.size(); ++i) {
    const int index = static_cast<int>(i);
    e.code.assume(index + 1, argument_value(e.function.arguments[i], index));
    if (e.function.arguments[i].kind == ArgumentKind::kContextCell) e.code.load_context(index + 1);
  }
  const bool by_helper = can_fill_by_helper(e) && e.choices.chance(4);
  if (by_helper) {
    for (int at = -e.code.surroundings().stack_depth; at < 0; ++at) {
      e.locked_bytes.set(frame_bit(at));
    }
  }
  house_pointers(e);
  if (by_helper && e.may_call) fill_by_helper(e);
  if (e.is_main && !e.plan.arrays.empty()) count_activation(e);
  fill_saved_registers(e);
  touch_frame(e);
}

struct Item {
  enum class Kind : std::uint8_t { kCall, kCallback, kTailCall, kThrow };
  Kind kind = Kind::kCall;
  std::size_t index = 0;
};

std::vector<Item> required_items(Emitter& e) {
  const FunctionPlan& f = e.function;
  std::vector<Item> items;
  items.reserve(f.calls.size() + f.callbacks.size() + f.tail_calls.size());
  for (std::size_t i = 0; i < f.calls.size(); ++i) items.push_back({Item::Kind::kCall, i});
  for (std::size_t i = 0; i < f.callbacks.size(); ++i) items.push_back({Item::Kind::kCallback, i});
  for (std::size_t i = 0; i < f.tail_calls.size(); ++i) items.push_back({Item::Kind::kTailCall, i});
  if (f.throws == Throws::kSometimes) items.push_back({Item::Kind::kThrow, 0});
  if (items.size() > 1 && e.choices.chance(25)) {
    const std::size_t one = e.choices.below(items.size());
    const std::size_t other = e.choices.below(items.size());
    std::swap(items[one], items[other]);
  }
  return items;
}

void emit_item(Emitter& e, const Item& item) {
  switch (item.kind) {
    case Item::Kind::kCall:
      return emit_function_call(e, e.function.calls[item.index]);
    case Item::Kind::kCallback:
      return emit_callback_loop(e, e.function.callbacks[item.index]);
    case Item::Kind::kThrow: {
      Label stay;
      emit_condition(e, stay);
      emit_throw(e);
      e.code.place(stay);
      return;
    }
    case Item::Kind::kTailCall:
      emit_tail_call(e, e.function.tail_calls[item.index]);
      e.locked &= ~bit(1);
      e.may_call = true;
      return;
  }
}

void body(Emitter& e) {
  const std::vector<Item> items = required_items(e);
  int statements = e.function.statements;
  for (std::size_t next = 0; next < items.size() || statements > 0;) {
    if (statements > 0 && (next == items.size() || e.choices.chance(50))) {
      --statements;
      emit_statement(e);
      continue;
    }
    Label skip;
    if (e.choices.chance(6)) emit_condition(e, skip);
    emit_item(e, items[next++]);
    e.code.place(skip);
  }
}

void fold_register(Emitter& e, int reg) {
  constexpr std::array kFolds{Opcode::kAdd64Reg, Opcode::kXor64Reg, Opcode::kSub64Reg};
  e.code.emit(kFolds[e.choices.below(kFolds.size())], 0, reg);
}

void fold_frame(Emitter& e, int offset, Opcode load) {
  const Hold result(e, 0);
  const int reg = scratch(e);
  e.code.emit(load, reg, kFramePointerRegister, offset);
  fold_register(e, reg);
}

// R0 becomes something that depends on all that should have survived.
void fold_all(Emitter& e) {
  for (int reg = 6; reg <= 9; ++reg) {
    if (!e.code.at(reg).is_scalar()) continue;
    fold_register(e, reg);
    // Tells apart two registers that came back swapped.
    const bool times_three = e.choices.chance(25) && takes(e, Opcode::kMul64Imm);
    if (times_three) e.code.emit(Opcode::kMul64Imm, 0, 0, 0, 3);
  }
  const int depth = e.code.surroundings().stack_depth;
  if (depth > 0 && is_readable(e, -depth, 1)) fold_frame(e, -depth, Opcode::kLoad8);
  if (depth >= 8 && is_readable(e, -8, 8) && e.choices.chance(60)) {
    fold_frame(e, -8, Opcode::kLoad64);
  }
}

void start_result(Emitter& e) {
  if (e.code.at(0).is_scalar()) return;
  const RegisterSet others = scalars(e) & kSavedRegisters;
  if (others != 0 && e.choices.chance(50)) {
    e.code.emit(Opcode::kMov64Reg, 0, e.choices.pick_bit(others));
  } else {
    e.code.emit(Opcode::kMov64Imm, 0, 0, 0, draw_immediate(e.choices));
  }
}

}  // namespace

void emit_exit(Emitter& e, bool fold) {
  // R0 may be a loop counter here: this path does not go back.
  const RegisterSet locked = e.locked;
  e.locked &= ~bit(0);
  start_result(e);
  if (fold) fold_all(e);
  if (e.function.is_callback) {
    if (fold) keep(e, 0);
    if (e.choices.chance(60)) {
      e.code.emit(Opcode::kMov64Imm, 0);
    } else {
      e.code.emit(Opcode::kAnd64Imm, 0, 0, 0, 1);
    }
  }
  e.locked = locked;
  e.code.exit();
}

// The cookie depends on all that should have survived: it shows in the result.
void emit_throw(Emitter& e) {
  const RegisterSet locked = e.locked;
  e.locked &= ~bit(0);
  start_result(e);
  fold_all(e);
  e.locked = locked;
  e.code.emit(Opcode::kMov64Reg, 1, 0);
  e.code.throw_cookie();
}

void emit_function(Emitter& e) {
  prologue(e);
  body(e);
  e.function.throws == Throws::kAtEnd ? emit_throw(e) : emit_exit(e, true);
}

}  // namespace plumb::gen
