// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/opcode.h"
#include "gen/state.h"

namespace plumb::gen {

// The memory that a function may touch besides the frame of its caller.
struct Surroundings {
  int stack_depth = 0;
  int context_size = 0;
  std::vector<int> region_sizes;
  std::vector<int> buffer_sizes;  // by argument, 0: not a buffer
};

// A place that is jumped to before it is reached. Lives until it is placed.
struct Label {
  std::vector<std::size_t> jumps;  // slots
  std::optional<State> state;      // what all jumps have in common
};

// A place that is jumped back to.
struct LoopHead {
  std::size_t slot = 0;
  State state;
};

// Writes the code of one function and follows what a verifier would know. An instruction that the
// verifier would refuse here is an error of the generator: PLUMB_CHECK.
class Builder {
 public:
  explicit Builder(Surroundings surroundings);

  [[nodiscard]] const Surroundings& surroundings() const { return surroundings_; }
  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] bool reachable() const { return reachable_; }
  [[nodiscard]] std::size_t size() const { return insns_.size(); }
  [[nodiscard]] const AbstractValue& at(int reg) const { return state_.at(reg); }
  void assume(int reg, AbstractValue value) { state_.at(reg) = value; }
  void kill(std::uint32_t register_set) { state_.kill(register_set); }

  // Everything but jumps, calls, exit and wide loads.
  void emit(Opcode id, int dst, int src = 0, int offset = 0, std::int32_t immediate = 0);
  // dst (a pointer) += src (a scalar in [0, span]).
  void add_bounded(int dst, int src, int span);
  void load_imm64(int dst, std::uint64_t value);
  void load_array(int dst, int array);
  void load_region(int dst, int region, int offset);
  void load_function(int dst, int function);
  // reg points to a cell of the caller's that holds a pointer to the context, and becomes that.
  void load_context(int reg);

  void jump_if(Opcode id, int dst, int src, std::int32_t immediate, Label& to);
  void jump(Label& to, bool wide = false);
  void place(Label& label);
  // Registers of the set are forgotten: the body may leave anything in them.
  [[nodiscard]] LoopHead loop_head(std::uint32_t forget);
  void jump_back_if(Opcode id, int dst, int src, std::int32_t immediate, const LoopHead& to);
  void jump_back(const LoopHead& to, bool wide = false);

  void call_function(int function, std::uint64_t cost);
  void call_helper(std::int32_t number);  // tail calls too
  void exit();
  void throw_cookie();  // R1
  // A helper has filled bytes of the frame.
  void filled_frame(int offset, int size) { state_.fill_frame(offset, size); }

  void set_immediate(std::size_t slot, std::int32_t value) { insns_[slot].immediate = value; }

  // The most instructions that one run of the function executes, helpers' callbacks included.
  [[nodiscard]] std::uint64_t cost() const { return cost_; }
  void add_cost(std::uint64_t more) { cost_ += more; }
  // What was added since cost() was `before` runs `times` times.
  void repeat_cost(std::uint64_t before, std::uint64_t times) {
    cost_ = before + (cost_ - before) * times;
  }

  [[nodiscard]] std::vector<Insn> take() { return std::move(insns_); }

 private:
  void append(const Insn& insn);
  void append_wide(Opcode id, int dst, std::int32_t low, std::int32_t high);
  void note_jump(Label& to);
  void close_jump(std::size_t slot, std::size_t target);
  void check_condition(const OpcodeInfo& info, int dst, int src) const;
  void apply_alu(const OpcodeInfo& info, int dst, int src, std::int32_t immediate);
  void apply_load(const OpcodeInfo& info, int dst, int src, int offset);
  void apply_store(const OpcodeInfo& info, int dst, int src, int offset);
  void apply_atomic(const OpcodeInfo& info, int dst, int src, int offset);
  // The access lies in its object; stack accesses are aligned.
  void check_access(const AbstractValue& base, int offset, int size) const;

  Surroundings surroundings_;
  std::vector<Insn> insns_;
  State state_;
  bool reachable_ = true;
  std::uint64_t cost_ = 0;
};

}  // namespace plumb::gen
