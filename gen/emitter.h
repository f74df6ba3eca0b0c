// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/capability.h"
#include "gen/builder.h"
#include "gen/choices.h"
#include "gen/plan.h"

namespace plumb::gen {

using RegisterSet = std::uint32_t;                      // bit n: Rn
inline constexpr RegisterSet kScratchRegisters = 0x3f;  // R0 ... R5: no call preserves them
inline constexpr RegisterSet kSavedRegisters = 0x3c0;   // R6 ... R9

// Writing one function. Whatever has to hold on all paths is kept simple: R6 ... R9 are given a
// kind in the prologue and keep it; a pointer stays in the frame only in slots of the prologue;
// everything else about the paths is the builder's to merge.
struct Emitter {
  ChoiceStream& choices;
  const CasePlan& plan;
  const ProgramPlan& program;
  const FunctionPlan& function;
  const std::vector<std::uint64_t>& costs;  // of the functions of the program with higher index
  Builder code;

  RegisterSet locked = 0;   // not for random statements to write
  RegisterSet held = 0;     // the same, while one statement is being written (Hold)
  FrameBytes locked_bytes;  // the same for the frame
  int blocks = 0;           // nesting
  int loops = 0;
  bool may_call = true;  // R0 ... R5 hold something that has to stay
  bool is_main = false;
};

// Protects a register until the end of the scope.
class Hold {
 public:
  Hold(Emitter& e, int reg) : e_(e), before_(e.held) { e.held |= RegisterSet{1} << reg; }
  ~Hold() { e_.held = before_; }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Emitter& e_;
  RegisterSet before_;
};

// ---- what the JIT takes ----
[[nodiscard]] inline bool takes(const Emitter& e, std::uint64_t needs) {
  return (needs & ~e.plan.capabilities) == 0;
}
[[nodiscard]] inline bool takes(const Emitter& e, Capability capability) {
  return takes(e, capability_bit(capability));
}
[[nodiscard]] inline bool takes(const Emitter& e, Opcode form) {
  return takes(e, needed_by(opcode_info(form)));
}
// One of the forms that it takes; there must be one.
[[nodiscard]] const OpcodeInfo& pick_form(Emitter& e, const std::vector<Opcode>& forms);

// ---- registers ----
[[nodiscard]] RegisterSet scalars(const Emitter& e);
[[nodiscard]] inline RegisterSet bit(int reg) { return RegisterSet{1} << reg; }
// A scalar to read; makes one when there is none.
[[nodiscard]] int any_scalar(Emitter& e);
// A scalar to change in place; makes one when there is none.
[[nodiscard]] int scalar_target(Emitter& e);
// One of R0 ... R5 that may be overwritten.
[[nodiscard]] int scratch(Emitter& e);
// A register that may become a scalar: scratch or R6 ... R9.
[[nodiscard]] int result_register(Emitter& e);
// The value goes into what the function returns or leaves in memory.
void keep(Emitter& e, int reg);

// ---- arithmetic: emit_alu.cc ----
[[nodiscard]] std::int32_t draw_immediate(ChoiceStream& choices);
// One that the verifier accepts: no division by the constant 0, no shift by the width or more.
[[nodiscard]] std::int32_t draw_immediate_for(ChoiceStream& choices, const OpcodeInfo& info);
void emit_constant(Emitter& e, int reg);
void emit_one_alu(Emitter& e);
// A random condition on scalars that jumps to the label.
void emit_condition(Emitter& e, Label& to);

// ---- memory: emit_memory.cc ----
enum class Access : std::uint8_t { kRead, kWrite, kAtomic };
// An address: [reg + offset].
struct Address {
  int reg = 0;
  int offset = 0;
};
// Aligned by size for stack and atomics. Initialises what is read.
[[nodiscard]] Address find_address(Emitter& e, Access access, int size);
// Is there a pointer to the context or to a caller's buffer that calls do not destroy?
[[nodiscard]] bool has_durable(const Emitter& e, ValueKind kind, int index = 0);
// Puts that pointer (to the first byte) into reg. False: there is none, nothing was emitted.
bool load_pointer(Emitter& e, ValueKind kind, int index, int reg);
// Do the bytes of the frame hold scalars that the verifier lets through as one load?
[[nodiscard]] bool is_readable(const Emitter& e, int offset, int size);
// An aligned range of the frame that nothing else owns. Its offset, or nothing.
[[nodiscard]] std::optional<int> free_frame_range(Emitter& e, int size);
// Stores constants until all bytes of the range are scalars.
void initialise_frame(Emitter& e, int offset, int size);
// Points reg at size bytes of scalars that may be overwritten, 8-byte aligned; uses no other
// register. The offset in the frame when they lie there.
std::optional<int> point_at_buffer(Emitter& e, int reg, int size, bool initialised = true);
// The same, in a region.
void point_at_region(Emitter& e, int reg, int size);

// ---- control flow: emit_flow.cc ----
void emit_statement(Emitter& e);
void emit_block(Emitter& e, int most);
// The body, a bounded number of times; one alternative statement where there can be no loop.
void emit_loop_around(Emitter& e, const std::function<void()>& emit_body);

// ---- calls: emit_calls.cc, emit_tail.cc ----
void emit_function_call(Emitter& e, int callee);
void emit_callback_loop(Emitter& e, int callee);
void emit_tail_call(Emitter& e, const TailCallPlan& tail_call);

// ---- whole functions: emit_function.cc ----
void emit_throw(Emitter& e);
void emit_exit(Emitter& e, bool fold);
void emit_function(Emitter& e);

#define PLUMB_STATEMENT(name, description) void emit_##name(Emitter& e);
#include "gen/statements.inc"

}  // namespace plumb::gen
