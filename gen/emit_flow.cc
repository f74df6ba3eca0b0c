// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "gen/emitter.h"

namespace plumb::gen {
namespace {

constexpr int kMaxBlocks = 2;
constexpr int kMaxLoops = 2;

void dispatch(Emitter& e, std::size_t statement) {
  std::size_t row = 0;
#define PLUMB_STATEMENT(name, description) \
  if (statement == row++) return emit_##name(e);
#include "gen/statements.inc"
}

// Where a loop counts: a register, or eight bytes of the frame.
struct Counter {
  int reg = -1;
  int frame = 0;
};

Counter draw_counter(Emitter& e) {
  const RegisterSet saved = scalars(e) & kSavedRegisters & ~(e.locked | e.held);
  const RegisterSet free = kScratchRegisters & ~(e.locked | e.held);
  const std::optional<int> frame = e.choices.chance(35) ? free_frame_range(e, 8) : std::nullopt;
  if (frame) return {.frame = *frame};
  if (saved != 0) return {.reg = e.choices.pick_bit(saved)};
  // Without a register that calls preserve, the body must not call.
  if (std::popcount(free) >= 5) return {.reg = e.choices.pick_bit(free)};
  return {};
}

// One loop being written; `limit` is the slot whose immediate says how often it runs.
struct Loop {
  Counter counter;
  bool counts_up = false;
  bool tests_first = false;
  std::size_t limit = 0;
};

bool draw_wide(Emitter& e) { return e.plan.v4 && e.choices.chance(50) && takes(e, Opcode::kJal); }

// The counter in a register, ready to be changed or compared.
int counter_register(Emitter& e, const Loop& loop) {
  if (loop.counter.reg >= 0) return loop.counter.reg;
  const int reg = scratch(e);
  e.code.emit(Opcode::kLoad64, reg, kFramePointerRegister, loop.counter.frame);
  return reg;
}

void start_counter(Emitter& e, Loop& loop) {
  if (!loop.counts_up) loop.limit = e.code.size();
  if (loop.counter.reg >= 0) {
    e.code.emit(Opcode::kMov64Imm, loop.counter.reg);
    e.locked |= bit(loop.counter.reg);
    return;
  }
  e.code.emit(Opcode::kStoreImm64, kFramePointerRegister, 0, loop.counter.frame);
  for (int i = 0; i < 8; ++i) e.locked_bytes.set(frame_bit(loop.counter.frame + i));
}

int step_counter(Emitter& e, const Loop& loop) {
  const int reg = counter_register(e, loop);
  e.code.emit(Opcode::kAdd64Imm, reg, 0, 0, loop.counts_up ? 1 : -1);
  if (loop.counter.reg < 0) {
    e.code.emit(Opcode::kStore64, kFramePointerRegister, reg, loop.counter.frame);
  }
  return reg;
}

void close_loop(Emitter& e, Loop& loop, const LoopHead& head) {
  const int reg = step_counter(e, loop);
  const bool narrow = takes(e, Opcode::kJslt32Imm);
  const Opcode up_signed = narrow ? Opcode::kJslt32Imm : Opcode::kJslt64Imm;
  const Opcode down_signed = narrow ? Opcode::kJsgt32Imm : Opcode::kJsgt64Imm;
  const Opcode up = e.choices.chance(50) ? Opcode::kJlt64Imm : up_signed;
  const Opcode down = e.choices.chance(50) ? Opcode::kJne64Imm : down_signed;
  if (loop.counts_up) loop.limit = e.code.size();
  e.code.jump_back_if(loop.counts_up ? up : down, reg, 0, 0, head);
}

void test_first_loop(Emitter& e, Loop& loop, const LoopHead& head,
                     const std::function<void()>& body) {
  Label end;
  const int reg = counter_register(e, loop);
  if (loop.counts_up) loop.limit = e.code.size();
  e.code.jump_if(loop.counts_up ? Opcode::kJge64Imm : Opcode::kJeq64Imm, reg, 0, 0, end);
  body();
  (void)step_counter(e, loop);
  e.code.jump_back(head, draw_wide(e));
  e.code.place(end);
}

}  // namespace

void emit_statement(Emitter& e) {
  const std::array weights{
#define PLUMB_STATEMENT(name, description) e.function.mix.name,
#include "gen/statements.inc"
  };
  dispatch(e, e.choices.weighted(weights));
}

void emit_block(Emitter& e, int most) {
  ++e.blocks;
  for (int count = e.choices.range(1, most); count > 0; --count) {
    if (e.blocks > kMaxBlocks) {
      emit_alu(e);
    } else {
      emit_statement(e);
    }
  }
  --e.blocks;
}

void emit_branch(Emitter& e) {
  Label otherwise;
  emit_condition(e, otherwise);
  emit_block(e, 2);
  if (e.choices.chance(60)) {
    e.code.place(otherwise);
    return;
  }
  Label end;
  e.code.jump(end, draw_wide(e));
  e.code.place(otherwise);
  emit_block(e, 2);
  e.code.place(end);
}

void emit_leave(Emitter& e) {
  Label stay;
  emit_condition(e, stay);
  emit_exit(e, false);
  e.code.place(stay);
}

void emit_loop(Emitter& e) {
  emit_loop_around(e, [&e] { emit_block(e, 3); });
}

void emit_loop_around(Emitter& e, const std::function<void()>& emit_body) {
  Loop loop{.counter = draw_counter(e)};
  if (e.loops >= kMaxLoops || (loop.counter.reg < 0 && loop.counter.frame == 0)) return emit_alu(e);
  if (!takes(e, Capability::kJumpBack)) return emit_alu(e);
  loop.counts_up = e.choices.chance(40);
  loop.tests_first = e.choices.chance(30);
  const int times = e.choices.pick({1, 2, 2, 3, 3, 4, 5, 7, 10});
  const RegisterSet locked = e.locked;
  const FrameBytes locked_bytes = e.locked_bytes;
  const bool may_call = e.may_call;
  if (loop.counter.reg >= 0 && (bit(loop.counter.reg) & kScratchRegisters)) e.may_call = false;

  start_counter(e, loop);
  const LoopHead head = e.code.loop_head(kScratchRegisters & ~e.locked);
  const std::uint64_t before = e.code.cost();
  ++e.loops;
  if (loop.tests_first) {
    test_first_loop(e, loop, head, emit_body);
  } else {
    emit_body();
    close_loop(e, loop, head);
  }
  --e.loops;
  const std::uint64_t body = e.code.cost() - before;
  const std::uint64_t limit = e.program.cost_limit;
  const std::uint64_t room = limit > before ? (limit - before) / body : 1;
  const auto most = static_cast<int>(std::clamp<std::uint64_t>(room, 1, 10));
  const int runs = std::min(times, most);
  e.code.set_immediate(loop.limit, runs);
  e.code.repeat_cost(before, static_cast<std::uint64_t>(runs));
  e.locked = locked;
  e.locked_bytes = locked_bytes;
  e.may_call = may_call;
}

void emit_filler(Emitter& e) {
  // 127 and 128 bytes are where x86-64 changes the form of a branch: some 30 instructions.
  const int count = e.choices.range(18, 45);
  const auto row = [&](int n) {
    for (; n > 0; --n) emit_one_alu(e);
  };
  Label otherwise;
  emit_condition(e, otherwise);
  if (e.choices.chance(60)) {
    row(count);
    e.code.place(otherwise);
    return;
  }
  // The jump over the alternative is the far one.
  Label end;
  emit_one_alu(e);
  e.code.jump(end);
  e.code.place(otherwise);
  row(count);
  e.code.place(end);
}

namespace {

// Arithmetic that x86-64 encodes in so many bytes, at least 6: three for an operation on two 64-bit
// registers, four for one with a small number.
void emit_bytes(Emitter& e, int bytes) {
  constexpr std::array kByRegister{Opcode::kAdd64Reg, Opcode::kXor64Reg, Opcode::kSub64Reg,
                                   Opcode::kOr64Reg};
  constexpr std::array kByNumber{Opcode::kAdd64Imm, Opcode::kXor64Imm, Opcode::kAnd64Imm,
                                 Opcode::kOr64Imm};
  while (bytes > 0) {
    const bool number = bytes % 3 != 0 || (bytes >= 12 && e.choices.chance(40));
    const int dst = scalar_target(e);
    if (number) {
      e.code.emit(kByNumber[e.choices.below(kByNumber.size())], dst, 0, 0, e.choices.range(1, 127));
    } else {
      e.code.emit(kByRegister[e.choices.below(kByRegister.size())], dst, any_scalar(e));
    }
    bytes -= number ? 4 : 3;
  }
}

}  // namespace

// The jumps over the loop and the jump back hold one another: whether one is short decides how far
// the others reach. c83508da5620 ("bpf, x64: Fix a jit convergence issue") has the lengths at which
// x86-64 never settled.
//
//     if ... goto end       one to three of these
//   top:
//     arithmetic            such that it is some 110 to 140 bytes from top to the jump back
//     if --counter == 0 goto end
//     goto top
//   end:
void emit_knot(Emitter& e) {
  Loop loop{.counter = draw_counter(e)};
  const bool counts = loop.counter.reg >= 0 || loop.counter.frame != 0;
  if (e.loops >= kMaxLoops || !counts || !takes(e, Capability::kJumpBack)) return emit_filler(e);
  const RegisterSet locked = e.locked;
  const FrameBytes locked_bytes = e.locked_bytes;
  const int times = e.choices.range(1, 3);
  // What steps the counter and tests it: add, test, jump, and for the frame a load and a store.
  const int step = loop.counter.reg >= 0 ? 4 + 3 + 2 : 4 + 4 + 4 + 3 + 2;
  const int bytes =
      (e.choices.chance(70) ? e.choices.range(120, 128) : e.choices.range(110, 140)) - step;
  start_counter(e, loop);
  // Made here: what is written inside is not there on the way around.
  (void)any_scalar(e);
  Label end;
  for (int guards = e.choices.pick({1, 1, 1, 2, 3}); guards > 0; --guards) emit_condition(e, end);
  // A scalar stays one whatever the body does; anything else may be overwritten.
  const LoopHead head = e.code.loop_head(kScratchRegisters & ~e.locked & ~scalars(e));
  const std::uint64_t before = e.code.cost();
  emit_bytes(e, bytes);
  const int reg = step_counter(e, loop);
  e.code.jump_if(Opcode::kJeq64Imm, reg, 0, 0, end);
  e.code.jump_back(head);
  e.code.place(end);
  e.code.set_immediate(loop.limit, times);
  e.code.repeat_cost(before, static_cast<std::uint64_t>(times));
  e.locked = locked;
  e.locked_bytes = locked_bytes;
}

}  // namespace plumb::gen
