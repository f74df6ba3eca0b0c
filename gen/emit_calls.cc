// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "core/check.h"
#include "core/helper_model.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

const FunctionPlan& callee_plan(const Emitter& e, int callee) {
  return e.program.functions[static_cast<std::size_t>(callee)];
}

std::uint64_t callee_cost(const Emitter& e, int callee) {
  return e.costs[static_cast<std::size_t>(callee)];
}

// A scalar into reg, which may be a copy of another or be one already.
void pass_scalar(Emitter& e, int reg) {
  if (e.code.at(reg).is_scalar() && e.choices.chance(50)) return;
  const RegisterSet others = scalars(e) & ~bit(reg);
  if (others != 0 && e.choices.chance(50)) {
    e.code.emit(Opcode::kMov64Reg, reg, e.choices.pick_bit(others));
    return;
  }
  e.code.emit(Opcode::kMov64Imm, reg, 0, 0, draw_immediate(e.choices));
}

// Reads what the callee may have written, so that it shows in the result.
void read_back(Emitter& e, int offset, int size) {
  const int width = size >= 8 && e.choices.chance(70) ? 8 : 1;
  const int at = offset + width * e.choices.range(0, size / width - 1);
  const int reg = scratch(e);
  if (!is_readable(e, at, width)) return;
  e.code.emit(width == 8 ? Opcode::kLoad64 : Opcode::kLoad8, reg, kFramePointerRegister, at);
  keep(e, reg);
}

// The call's memory in this frame.
struct Lent {
  std::optional<int> offset;
  int size = 0;
};

void use_result(Emitter& e, const Lent& lent) {
  if (e.choices.chance(70)) keep(e, 0);
  if (!lent.offset || !e.choices.chance(75)) return;
  const Hold result(e, 0);
  read_back(e, *lent.offset, lent.size);
}

void reserve(Emitter& e, const Lent& lent) {
  if (!lent.offset) return;
  for (int i = 0; i < lent.size; ++i) e.locked_bytes.set(frame_bit(*lent.offset + i));
}

bool can_pass_context(const Emitter& e, int argument) {
  const bool in_place = argument == 0 && e.code.at(1).kind == ValueKind::kContext;
  return in_place || has_durable(e, ValueKind::kContext);
}

}  // namespace

void emit_function_call(Emitter& e, int callee) {
  const FunctionPlan& plan = callee_plan(e, callee);
  const FrameBytes before = e.locked_bytes;
  Lent lent;
  for (std::size_t i = 0; i < plan.arguments.size(); ++i) {
    const Argument& argument = plan.arguments[i];
    const int reg = static_cast<int>(i) + 1;
    switch (argument.kind) {
      case ArgumentKind::kScalar:
        pass_scalar(e, reg);
        break;
      case ArgumentKind::kContext:
        PLUMB_CHECK(can_pass_context(e, static_cast<int>(i)));
        PLUMB_CHECK(load_pointer(e, ValueKind::kContext, 0, reg));
        break;
      case ArgumentKind::kContextCell:
        PLUMB_CHECK(false);  // of callbacks only
        break;
      case ArgumentKind::kBuffer: {
        const std::optional<int> frame = point_at_buffer(e, reg, argument.size);
        if (frame) lent = {.offset = frame, .size = argument.size};
        if (frame) reserve(e, lent);
        break;
      }
    }
  }
  e.code.call_function(callee, callee_cost(e, callee));
  e.locked_bytes = before;
  use_result(e, lent);
}

void emit_call(Emitter& e) {
  if (!e.may_call || e.function.calls.empty()) return emit_alu(e);
  const int callee = e.function.calls[e.choices.below(e.function.calls.size())];
  if (e.code.cost() + callee_cost(e, callee) > e.program.cost_limit) return emit_alu(e);
  const auto& arguments = callee_plan(e, callee).arguments;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].kind != ArgumentKind::kContext) continue;
    if (!can_pass_context(e, static_cast<int>(i))) return emit_alu(e);
  }
  emit_function_call(e, callee);
}

void emit_callback_loop(Emitter& e, int callee) {
  const FunctionPlan& plan = callee_plan(e, callee);
  const Argument& argument = plan.arguments[1];
  // The verifier wants the callback's context to be a pointer to the stack, or 0.
  Lent lent{.offset = std::nullopt, .size = argument.size};
  const bool cell = argument.kind == ArgumentKind::kContextCell;
  if (cell || argument.kind == ArgumentKind::kBuffer) {
    lent.offset = free_frame_range(e, cell ? 8 : argument.size);
    if (!lent.offset) return;
  }
  if (cell) {
    PLUMB_CHECK(load_pointer(e, ValueKind::kContext, 0, 1));
    e.code.emit(Opcode::kStore64, kFramePointerRegister, 1, *lent.offset);
  } else if (lent.offset) {
    initialise_frame(e, *lent.offset, argument.size);
  }
  const std::uint64_t cost = callee_cost(e, callee);
  const int drawn = e.choices.pick({1, 1, 2, 2, 3, 4, 5});
  const std::uint64_t room = e.program.cost_limit / std::max<std::uint64_t>(1, cost);
  const int times = std::min(drawn, static_cast<int>(std::clamp<std::uint64_t>(room, 1, 8)));
  e.code.emit(Opcode::kMov64Imm, 1, 0, 0, times);
  e.code.load_function(2, callee);
  if (lent.offset) {
    e.code.emit(Opcode::kMov64Reg, 3, kFramePointerRegister);
    e.code.emit(Opcode::kAdd64Imm, 3, 0, 0, *lent.offset);
  } else {
    e.code.emit(Opcode::kMov64Imm, 3);
  }
  // The helper refuses flags, and then calls nothing back.
  const int flags = e.choices.chance(2) ? e.choices.pick({1, 2, -1}) : 0;
  e.code.emit(Opcode::kMov64Imm, 4, 0, 0, flags);
  e.code.call_helper(kLoopHelper);
  e.code.add_cost(cost * static_cast<std::uint64_t>(times));
  use_result(e, cell ? Lent{} : lent);
}

namespace {

bool can_call(const Emitter& e, const HelperInfo& helper) {
  if (helper.number == kTailCallHelper || helper.number == kLoopHelper) return false;
  for (std::size_t i = 0; i < helper.args.size(); ++i) {
    const HelperArg arg = helper.args[i];
    if (arg == HelperArg::kContext && !can_pass_context(e, static_cast<int>(i))) return false;
  }
  return true;
}

// The memory argument in reg and its size in the register after it.
Lent pass_memory(Emitter& e, int reg, bool is_read) {
  const int size = e.choices.pick({1, 2, 3, 4, 7, 8, 8, 12, 16, 24});
  Lent lent{.offset = point_at_buffer(e, reg, size, is_read), .size = size};
  e.code.emit(Opcode::kMov64Imm, reg + 1, 0, 0, size);
  reserve(e, lent);
  return lent;
}

void pass_helper_argument(Emitter& e, HelperArg arg, int reg, Lent& written) {
  switch (arg) {
    case HelperArg::kNone:
    case HelperArg::kSize:  // went with the pointer before it
      return;
    case HelperArg::kAny:
    case HelperArg::kAnything:
      return pass_scalar(e, reg);
    case HelperArg::kContext:
      PLUMB_CHECK(load_pointer(e, ValueKind::kContext, 0, reg));
      return;
    case HelperArg::kReadMem:
      (void)pass_memory(e, reg, true);
      return;
    case HelperArg::kWriteMem:
      written = pass_memory(e, reg, false);
      return;
    case HelperArg::kArray:
    case HelperArg::kFunction:
      PLUMB_CHECK(false);
  }
}

}  // namespace

void emit_helper(Emitter& e) {
  if (!e.may_call) return emit_alu(e);
  const auto table = helper_table();
  const HelperInfo& helper = table[e.choices.below(table.size())];
  if (!can_call(e, helper)) return emit_alu(e);
  const FrameBytes before = e.locked_bytes;
  Lent written;
  for (std::size_t i = 0; i < helper.args.size(); ++i) {
    pass_helper_argument(e, helper.args[i], static_cast<int>(i) + 1, written);
  }
  e.code.call_helper(helper.number);
  if (written.offset) e.code.filled_frame(*written.offset, written.size);
  e.locked_bytes = before;
  use_result(e, written);
}

}  // namespace plumb::gen
