// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/testing_features.h"

#include <algorithm>
#include <vector>

namespace plumb::gen {
namespace {

const Function& function_at(const Case& value, const Place& at) {
  return value.programs[static_cast<std::size_t>(at.program)]
      .functions[static_cast<std::size_t>(at.function)];
}

template <typename Matches>
int count_insns(const Case& value, Matches matches) {
  int count = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      for_each_insn(function, [&](const OpcodeInfo& info) { count += matches(info) ? 1 : 0; });
    }
  }
  return count;
}

template <typename Matches>
bool any_event(const Execution& execution, Matches matches) {
  return std::ranges::any_of(execution.trace, matches);
}

bool has_event(const Execution& execution, EventKind kind) {
  return any_event(execution, [&](const Event& event) { return event.kind == kind; });
}

// The longest jump that satisfies the predicate, in slots; 0: none.
template <typename Matches>
std::int64_t longest_jump(const Case& value, Matches matches) {
  std::int64_t longest = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      for (std::size_t slot = 0; slot < function.insns.size();) {
        const Insn& insn = function.insns[slot];
        if (is_jump(decode(insn)->operation)) {
          const auto from = static_cast<std::int64_t>(slot);
          const std::int64_t distance = jump_target(insn, from) - from;
          if (matches(distance)) longest = std::max(longest, std::abs(distance));
        }
        slot += static_cast<std::size_t>(slot_count(insn));
      }
    }
  }
  return longest;
}

bool computes(const Case& value, const Execution&) {
  return count_insns(value, [](const OpcodeInfo& i) { return is_alu(i.operation); }) >= 8;
}

bool reaches_memory(const Case& value, const Execution&) {
  const int loads =
      count_insns(value, [](const OpcodeInfo& i) { return i.operation == Operation::kLoad; });
  const int stores =
      count_insns(value, [](const OpcodeInfo& i) { return i.operation == Operation::kStore; });
  return loads >= 2 && stores >= 2;
}

bool has_atomics(const Case& value, const Execution&) {
  return count_insns(value, [](const OpcodeInfo& i) { return is_atomic(i.operation); }) > 0;
}

bool branches(const Case& value, const Execution&) {
  return count_insns(value, [](const OpcodeInfo& i) { return is_conditional_jump(i.operation); }) >=
         2;
}

bool branches_far(const Case& value, const Execution&) {
  return longest_jump(value, [](std::int64_t distance) { return distance > 0; }) >= 18;
}

template <std::int64_t Slots>
bool jumps_over(const Case& value, const Execution&) {
  return longest_jump(value, [](std::int64_t) { return true; }) >= Slots;
}

bool loops(const Case& value, const Execution&) {
  return longest_jump(value, [](std::int64_t distance) { return distance < 0; }) > 0;
}

bool calls_helper(const Case&, const Execution& execution) {
  return has_event(execution, EventKind::kHelperCall);
}

bool calls(const Case&, const Execution& execution) {
  return has_event(execution, EventKind::kCall);
}

bool calls_back(const Case&, const Execution& execution) {
  return has_event(execution, EventKind::kCallback);
}

bool throws_and_catches(const Case&, const Execution& execution) {
  return has_event(execution, EventKind::kThrow);
}

bool calls_deep(const Case&, const Execution& execution) {
  int frames = 1;
  int deepest = 1;
  for (const Event& event : execution.trace) {
    if (event.kind == EventKind::kCall) ++frames;
    if (event.kind == EventKind::kReturn) --frames;
    deepest = std::max(deepest, frames);
  }
  return deepest >= 5;
}

bool passes_stack_pointer(const Case&, const Execution& execution) {
  return any_event(execution, [](const Event& event) {
    return event.kind == EventKind::kCall && std::ranges::any_of(event.args, [](const Value& arg) {
             return arg.is_pointer() && arg.space == Space::kStack;
           });
  });
}

// R6 to R9 that the function writes, as a set of bits.
unsigned saved_registers(const Function& function) {
  unsigned set = 0;
  for (const Insn& insn : function.insns) {
    const OpcodeInfo* info = decode(insn);
    if (info != nullptr && is_alu(info->operation) && insn.dst >= 6) set |= 1u << insn.dst;
  }
  return set;
}

bool saves_different_registers(const Case& value, const Execution& execution) {
  return any_event(execution, [&](const Event& event) {
    if (event.kind != EventKind::kCall) return false;
    const Place callee{.program = event.at.program,
                       .function = static_cast<std::int16_t>(event.target)};
    const unsigned caller_set = saved_registers(function_at(value, event.at));
    const unsigned callee_set = saved_registers(function_at(value, callee));
    return caller_set != 0 && callee_set != 0 && caller_set != callee_set;
  });
}

bool calls_from_odd_frame(const Case& value, const Execution& execution) {
  return any_event(execution, [&](const Event& event) {
    return event.kind == EventKind::kCall && function_at(value, event.at).stack_depth % 8 != 0;
  });
}

// The frames of program 0 are one chain in this shape.
bool fills_the_stack(const Case& value, const Execution&) {
  int all = 0;
  for (const Function& function : value.programs[0].functions) {
    all += (std::max(function.stack_depth, 1) + 31) / 32 * 32;
  }
  return all == kMaxStackDepth;
}

bool takes_tail_call(const Case&, const Execution& execution) { return execution.tail_calls > 0; }

bool is_constant_key(const Function& function, std::int32_t call) {
  const Insn& before = function.insns[static_cast<std::size_t>(call) - 1];
  return before == make_insn(Opcode::kMov64Imm, 3, 0, 0, before.immediate);
}

bool takes_indirect_tail_call(const Case& value, const Execution& execution) {
  return any_event(execution, [&](const Event& event) {
    return event.kind == EventKind::kTailCallTaken &&
           !is_constant_key(function_at(value, event.at), event.at.slot);
  });
}

bool refuses_key(const Case&, const Execution& execution) {
  return any_event(execution, [](const Event& event) {
    return event.reason == RefusalReason::kEmptySlot ||
           event.reason == RefusalReason::kIndexOutOfRange;
  });
}

bool tail_calls_in_subprogram(const Case&, const Execution& execution) {
  return any_event(execution, [](const Event& event) {
    return event.kind == EventKind::kTailCallTaken && event.at.function != 0;
  });
}

bool reaches_limit(const Case&, const Execution& execution) {
  return reaches_tail_call_limit(execution);
}

// The limit holds over the whole tree: more activations of main functions than one chain has.
bool reaches_limit_in_tree(const Case& value, const Execution& execution) {
  return tail_calls_in_subprogram(value, execution) && reaches_tail_call_limit(execution);
}

bool calls_or_tail_calls_in(const Case&, const Execution& execution) {
  return calls_or_tail_calls(execution);
}

bool has_v4(const Case& value, const Execution&) { return needs_v4(value); }

constexpr ShapeFeature kFeatures[] = {
    {"alu", "arithmetic", 99, computes},
    {"memory", "loads and stores", 95, reaches_memory},
    {"atomics", "atomic operations", 95, has_atomics},
    {"branches", "conditions", 95, branches},
    {"far-branches", "long jumps", 95, branches_far},
    {"loops", "loops", 85, loops},
    {"helpers", "helper calls", 90, calls_helper},
    {"subprograms", "calls", 90, calls},
    {"deep-calls", "five frames", 75, calls_deep},
    {"stack-pointers", "stack pointer passed", 75, passes_stack_pointer},
    {"callee-saved", "different saved registers", 75, saves_different_registers},
    {"callbacks", "callbacks", 75, calls_back},
    {"exceptions", "a throw that is caught", 75, throws_and_catches},
    {"odd-stack", "call from an odd frame", 80, calls_from_odd_frame},
    {"max-stack", "512 bytes in a chain", 90, fills_the_stack},
    {"tail-chain", "tail calls", 90, takes_tail_call},
    {"tail-indirect", "indirect tail calls", 85, takes_indirect_tail_call},
    {"tail-empty-and-range", "refused keys", 90, refuses_key},
    {"tail-in-subprogram", "tail calls in subprograms", 75, tail_calls_in_subprogram},
    {"tail-self-limit", "the limit", 85, reaches_limit},
    {"tail-hierarchy", "the limit in a tree", 95, reaches_limit_in_tree},
    {"tail-in-callback", "tail calls in callbacks", 75, tail_calls_in_callback},
    {"mixed", "calls or tail calls", 65, calls_or_tail_calls_in},
    {"v4", "version 4", 85, has_v4},
    {"long-functions", "jumps over 400 slots", 90, jumps_over<400>},
    {"large-functions", "jumps over 20,000 slots", 95, jumps_over<20'000>},
};

}  // namespace

std::span<const ShapeFeature> shape_features() { return kFeatures; }

bool calls_or_tail_calls(const Execution& execution) {
  return execution.tail_calls > 0 || has_event(execution, EventKind::kCall) ||
         has_event(execution, EventKind::kCallback);
}

bool reaches_tail_call_limit(const Execution& execution) {
  return any_event(execution,
                   [](const Event& event) { return event.reason == RefusalReason::kLimitReached; });
}

bool needs_v4(const Case& value) {
  return count_insns(value, [](const OpcodeInfo& info) { return info.version >= 4; }) > 0;
}

bool tail_calls_in_callback(const Case&, const Execution& execution) {
  std::vector<EventKind> open;
  for (const Event& event : execution.trace) {
    if (event.kind == EventKind::kCall || event.kind == EventKind::kCallback) {
      open.push_back(event.kind);
    } else if (event.kind == EventKind::kReturn) {
      open.pop_back();
    } else if (event.kind == EventKind::kTailCallTaken &&
               std::ranges::find(open, EventKind::kCallback) != open.end()) {
      return true;
    }
  }
  return false;
}

namespace {

template <typename Matches>
bool any_function(const Case& value, Matches matches) {
  return std::ranges::any_of(value.programs, [&](const Program& program) {
    return std::ranges::any_of(program.functions, matches);
  });
}

// Is there a row of instructions for which matches(this one, the one before it)?
template <typename Matches>
bool any_pair(const Function& function, Matches matches) {
  for (std::size_t slot = 1; slot < function.insns.size(); ++slot) {
    if (matches(function.insns[slot], function.insns[slot - 1])) return true;
  }
  return false;
}

bool is_signed_division(const Insn& insn) {
  const OpcodeInfo* info = decode(insn);
  return info != nullptr &&
         (info->operation == Operation::kSdiv || info->operation == Operation::kSmod);
}

}  // namespace

bool has_wide_key(const Case& value) {
  const Insn tail_call = make_insn(Opcode::kCallHelper, 0, 0, 0, kTailCallHelper);
  return any_function(value, [&](const Function& function) {
    return any_pair(function, [&](const Insn& insn, const Insn& before) {
      return insn == tail_call && before.opcode == 0 && before.immediate != 0;
    });
  });
}

bool has_frame_that_is_only_a_source(const Case& value) {
  return any_function(value, [](const Function& function) {
    return function.stack_depth > 0 &&
           std::ranges::none_of(
               function.insns,
               [](const Insn& insn) { return insn.dst == kFramePointerRegister; }) &&
           std::ranges::any_of(function.insns,
                               [](const Insn& insn) { return insn.src == kFramePointerRegister; });
  });
}

// A wide load of it, then the division; a move of the divisor may stand between.
bool divides_the_lowest_number(const Case& value) {
  return any_function(value, [](const Function& function) {
    for (std::size_t slot = 2; slot < function.insns.size(); ++slot) {
      const Insn& insn = function.insns[slot];
      if (!is_signed_division(insn)) continue;
      const OpcodeInfo& info = *decode(insn);
      const bool by_register = info.operand == Operand::kReg;
      const std::size_t load = slot - 2 - (by_register && slot > 2 ? 1 : 0);
      const Insn& low = function.insns[load];
      const Insn& high = function.insns[load + 1];
      const bool lowest = info.width == 64 ? low.immediate == 0 && high.immediate == INT32_MIN
                                           : low.immediate == INT32_MIN;
      const std::int32_t by = by_register ? function.insns[slot - 1].immediate : insn.immediate;
      if (low.opcode == 0x18 && low.dst == insn.dst && lowest && by != -1) return true;
    }
    return false;
  });
}

}  // namespace plumb::gen
