// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/facts.h"

#include "core/edit.h"
#include "core/helper_model.h"
#include "core/opcode.h"

namespace plumb::gen {
namespace {

using State = std::array<Holds, kRegisterCount>;

std::uint32_t bit_of(int reg) { return std::uint32_t{1} << reg; }

Holds join(Holds a, Holds b) {
  if (a == b || b == Holds::kUnreached) return a;
  if (a == Holds::kUnreached) return b;
  return a == Holds::kNothing || b == Holds::kNothing ? Holds::kNothing : Holds::kValue;
}

bool join_into(State& to, const State& from) {
  const State before = to;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = join(to[i], from[i]);
  return to != before;
}

bool is_memory_read(Operation operation) {
  return operation == Operation::kLoad || operation == Operation::kLoadSigned;
}

bool is_packet_read(Operation operation) {
  return operation == Operation::kLoadAbs || operation == Operation::kLoadInd;
}

bool fetches(Operation operation) {
  return operation >= Operation::kAtomicAddFetch && operation <= Operation::kXchg;
}

// What an ALU instruction or a load leaves behind.
Holds result_of(const OpcodeInfo& info, const Insn& insn, const State& state) {
  const Holds dst = state[insn.dst];
  const Holds src = info.operand == Operand::kReg ? state[insn.src] : Holds::kScalar;
  switch (info.operation) {
    case Operation::kLoad:
      if (info.width < 64 || state[insn.src] == Holds::kContext) return Holds::kScalar;
      return Holds::kValue;
    case Operation::kLoadSigned:
      return Holds::kScalar;
    case Operation::kMov:
      if (info.width == 64) return src;
      return src == Holds::kScalar ? Holds::kScalar : Holds::kValue;
    case Operation::kMovsx:
      return src == Holds::kScalar ? Holds::kScalar : Holds::kValue;
    default:
      if (dst == Holds::kNothing || src == Holds::kNothing) return Holds::kNothing;
      return dst == Holds::kScalar && src == Holds::kScalar ? Holds::kScalar : Holds::kValue;
  }
}

// One program, iterated until nothing changes.
class Analysis {
 public:
  explicit Analysis(const Program& program)
      : program_(program),
        facts_(program.functions.size()),
        returned_(facts_.size(), Holds::kUnreached) {
    for (std::size_t f = 0; f < facts_.size(); ++f) prepare(f);
  }

  std::vector<FunctionFacts> run() {
    while (pass_forward()) {
    }
    while (pass_backward()) {
    }
    return std::move(facts_);
  }

 private:
  void prepare(std::size_t f) {
    const std::vector<Insn>& insns = program_.functions[f].insns;
    FunctionFacts& facts = facts_[f];
    facts.starts = instruction_starts(insns);
    facts.targets.assign(insns.size(), false);
    facts.points.resize(insns.size());
    for (std::size_t slot = 0; slot < insns.size(); ++slot) {
      const OpcodeInfo* info = facts.starts[slot] ? decode(insns[slot]) : nullptr;
      if (info == nullptr) continue;
      if (is_jump(info->operation)) {
        facts.targets[static_cast<std::size_t>(
            jump_target(insns[slot], static_cast<std::int64_t>(slot)))] = true;
      }
      if (info->operation == Operation::kCallHelper && insns[slot].immediate == kTailCallHelper) {
        facts.makes_tail_calls = true;
      }
      if (info->operation == Operation::kLoadFunction) enter_callback(insns[slot].immediate);
    }
    const bool takes_over = static_cast<int>(f) == program_.exception_callback;
    if (f != 0 && !takes_over) return;
    State entry;
    entry.fill(Holds::kNothing);
    entry[1] = takes_over ? Holds::kScalar : Holds::kContext;
    entry[kFramePointerRegister] = Holds::kValue;
    join_into(facts.points[0].holds, entry);
  }

  // A callback gets a number and what the caller of bpf_loop passed on.
  void enter_callback(std::int32_t function) {
    State entry;
    entry.fill(Holds::kNothing);
    entry[1] = Holds::kScalar;
    entry[2] = Holds::kValue;
    entry[kFramePointerRegister] = Holds::kValue;
    auto& points = facts_[static_cast<std::size_t>(function)].points;
    if (points.empty())
      points.resize(program_.functions[static_cast<std::size_t>(function)].insns.size());
    join_into(points[0].holds, entry);
  }

  bool pass_forward() {
    bool changed = false;
    for (std::size_t f = 0; f < facts_.size(); ++f) {
      for (std::size_t slot = 0; slot < facts_[f].points.size(); ++slot) {
        if (facts_[f].starts[slot] && facts_[f].points[slot].reached()) changed |= step(f, slot);
      }
    }
    return changed;
  }

  bool step(std::size_t f, std::size_t slot) {
    const Insn& insn = program_.functions[f].insns[slot];
    const OpcodeInfo& info = *decode(insn);
    State state = facts_[f].points[slot].holds;
    bool changed = false;
    if (info.operation == Operation::kExit) {
      const Holds before = returned_[f];
      returned_[f] = join(before, state[0]);
      return before != returned_[f];
    }
    if (info.operation == Operation::kThrow) return false;
    if (info.operation == Operation::kCallFunction) {
      changed |= enter(static_cast<std::size_t>(insn.immediate), state);
      const Holds result = returned_[static_cast<std::size_t>(insn.immediate)];
      if (result == Holds::kUnreached) return changed;
      end_call(state, result);
    } else {
      apply(info, insn, state);
    }
    if (info.operation != Operation::kJa) {
      changed |= reach(f, slot + static_cast<std::size_t>(slot_count(insn)), state);
    }
    if (is_jump(info.operation)) {
      const std::int64_t target = jump_target(insn, static_cast<std::int64_t>(slot));
      changed |= reach(f, static_cast<std::size_t>(target), state);
    }
    return changed;
  }

  static void end_call(State& state, Holds result) {
    for (std::size_t reg = 1; reg <= 5; ++reg) state[reg] = Holds::kNothing;
    state[0] = result;
  }

  static void apply(const OpcodeInfo& info, const Insn& insn, State& state) {
    const Operation operation = info.operation;
    if (operation == Operation::kCallHelper) {
      const bool tail_call = insn.immediate == kTailCallHelper;
      return end_call(state, tail_call ? Holds::kNothing : Holds::kScalar);
    }
    if (is_packet_read(operation)) return end_call(state, Holds::kScalar);
    if (is_alu(operation) || is_memory_read(operation)) {
      state[insn.dst] = result_of(info, insn, state);
    } else if (fetches(operation)) {
      state[insn.src] = Holds::kScalar;
    } else if (operation == Operation::kCmpxchg) {
      state[0] = Holds::kScalar;
    } else if (operation == Operation::kLoadImm64) {
      state[insn.dst] = Holds::kScalar;
    } else if (slot_count(insn) == 2) {
      state[insn.dst] = Holds::kValue;
    }
  }

  // Only R1 ... R5 come from the caller.
  bool enter(std::size_t callee, const State& caller) {
    State entry = caller;
    for (const std::size_t reg : {0u, 6u, 7u, 8u, 9u}) entry[reg] = Holds::kNothing;
    return join_into(facts_[callee].points[0].holds, entry);
  }

  bool reach(std::size_t f, std::size_t slot, const State& state) {
    return slot < facts_[f].points.size() && join_into(facts_[f].points[slot].holds, state);
  }

  bool pass_backward() {
    bool changed = false;
    for (std::size_t f = facts_.size(); f-- > 0;) {
      for (std::size_t slot = facts_[f].points.size(); slot-- > 0;) {
        if (!facts_[f].starts[slot]) continue;
        const std::uint32_t live = live_before(f, slot);
        changed |= live != facts_[f].points[slot].live;
        facts_[f].points[slot].live = live;
      }
    }
    return changed;
  }

  [[nodiscard]] std::uint32_t live_before(std::size_t f, std::size_t slot) const {
    const Insn& insn = program_.functions[f].insns[slot];
    const OpcodeInfo& info = *decode(insn);
    std::uint32_t after = 0;
    const auto add = [&](std::size_t next) {
      if (next < facts_[f].points.size()) after |= facts_[f].points[next].live;
    };
    if (info.operation != Operation::kJa && info.operation != Operation::kExit &&
        info.operation != Operation::kThrow) {
      add(slot + static_cast<std::size_t>(slot_count(insn)));
    }
    if (is_jump(info.operation)) {
      add(static_cast<std::size_t>(jump_target(insn, static_cast<std::int64_t>(slot))));
    }
    std::uint32_t arguments = 0;
    if (info.operation == Operation::kCallFunction) {
      arguments = facts_[static_cast<std::size_t>(insn.immediate)].arguments();
    }
    return (after & ~written_registers(insn)) | read_registers(insn, arguments);
  }

  const Program& program_;
  std::vector<FunctionFacts> facts_;
  std::vector<Holds> returned_;  // R0 at the exits
};

std::uint32_t helper_arguments(std::int32_t number) {
  std::uint32_t set = 0;
  const HelperInfo* helper = find_helper(number);
  for (int i = 0; helper != nullptr && i < 5; ++i) {
    if (helper->args[static_cast<std::size_t>(i)] != HelperArg::kNone) set |= bit_of(i + 1);
  }
  return set;
}

}  // namespace

std::uint32_t PointFacts::holding(Holds what) const {
  std::uint32_t set = 0;
  for (int reg = 0; reg < kRegisterCount; ++reg) {
    if (at(reg) == what) set |= bit_of(reg);
  }
  return set;
}

std::vector<FunctionFacts> analyse(const Program& program) { return Analysis(program).run(); }

std::uint32_t written_registers(const Insn& insn) {
  const OpcodeInfo& info = *decode(insn);
  const Operation operation = info.operation;
  if (operation == Operation::kCallHelper || operation == Operation::kCallFunction ||
      is_packet_read(operation)) {
    return 0x3f;
  }
  if (operation == Operation::kCmpxchg) return bit_of(0);
  if (fetches(operation)) return bit_of(insn.src);
  const bool writes = is_alu(operation) || is_memory_read(operation) || slot_count(insn) == 2;
  return writes ? bit_of(insn.dst) : 0;
}

std::uint32_t read_registers(const Insn& insn, std::uint32_t callee_arguments) {
  const OpcodeInfo& info = *decode(insn);
  const Operation operation = info.operation;
  const std::uint32_t src = info.operand == Operand::kReg ? bit_of(insn.src) : 0;
  if (operation == Operation::kExit) return bit_of(0);
  if (operation == Operation::kThrow) return bit_of(1);
  if (operation == Operation::kCallFunction) return callee_arguments;
  if (operation == Operation::kCallHelper) return helper_arguments(insn.immediate);
  if (is_packet_read(operation)) return src | bit_of(6);
  if (is_memory_read(operation)) return bit_of(insn.src);
  if (slot_count(insn) == 2 || operation == Operation::kJa) return 0;
  if (operation == Operation::kMov || operation == Operation::kMovsx) return src;
  if (operation == Operation::kCmpxchg) return src | bit_of(insn.dst) | bit_of(0);
  return src | bit_of(insn.dst);
}

}  // namespace plumb::gen
