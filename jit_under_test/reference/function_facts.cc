// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/reference/function_facts.h"

#include <array>
#include <optional>

#include "core/exceptions.h"
#include "core/insn.h"
#include "core/opcode.h"

namespace plumb::jit::reference {
namespace {

bool is_tail_call(const OpcodeInfo& info, const Insn& insn) {
  return info.operation == Operation::kCallHelper && insn.immediate == kTailCallHelper;
}

bool refers_to_function(const OpcodeInfo& info) {
  return info.operation == Operation::kCallFunction || info.operation == Operation::kLoadFunction;
}

// Constants in straight-line code since the last jump target: as much as makes a tail call direct.
class Constants {
 public:
  void forget() { known_ = {}; }
  void step(const OpcodeInfo& info, std::span<const Insn> insns) {
    const Insn& insn = insns[0];
    std::optional<Constant>& to = known_[insn.dst];
    switch (info.operation) {
      case Operation::kMov:
        if (info.operand == Operand::kImm) {
          to = Constant{.is_array = false, .number = immediate(info, insn)};
        } else {
          to = known_[insn.src];
          if (info.width == 32 && to && to->is_array) to.reset();
          if (info.width == 32 && to) to->number &= 0xffff'ffff;
        }
        return;
      case Operation::kLoadArray:
        to = Constant{.is_array = true, .number = static_cast<std::uint32_t>(insn.immediate)};
        return;
      case Operation::kCallHelper:
      case Operation::kCallFunction:
      case Operation::kThrow:
        return forget();
      default:
        break;
    }
    if (is_atomic(info.operation)) return forget();
    if (!is_jump(info.operation) && info.operation != Operation::kStore) to.reset();
  }
  [[nodiscard]] TailCallSite site(int slot) const {
    const auto& array = known_[2];
    const auto& key = known_[3];
    if (!array || !array->is_array || !key || key->is_array) return {.slot = slot};
    return {.slot = slot,
            .known = true,
            .array = static_cast<std::size_t>(array->number),
            .key = key->number & 0xffff'ffff};
  }

 private:
  struct Constant {
    bool is_array = false;
    std::uint64_t number = 0;
  };
  static std::uint64_t immediate(const OpcodeInfo& info, const Insn& insn) {
    return info.width == 32 ? static_cast<std::uint32_t>(insn.immediate)
                            : static_cast<std::uint64_t>(std::int64_t{insn.immediate});
  }
  std::array<std::optional<Constant>, kRegisterCount> known_;
};

std::vector<bool> jump_targets(const std::vector<Insn>& insns) {
  std::vector<bool> targets(insns.size(), false);
  for (std::size_t slot = 0; slot < insns.size(); slot += slot_count(insns[slot])) {
    const OpcodeInfo* info = decode(insns[slot]);
    if (info == nullptr || !is_jump(info->operation)) continue;
    const std::int64_t target = jump_target(insns[slot], static_cast<std::int64_t>(slot));
    if (target >= 0 && static_cast<std::size_t>(target) < insns.size()) {
      targets[static_cast<std::size_t>(target)] = true;
    }
  }
  return targets;
}

FunctionFacts analyse_function(const Function& function) {
  FunctionFacts facts;
  facts.stack_depth = function.stack_depth;
  const std::vector<bool> targets = jump_targets(function.insns);
  Constants constants;
  for (std::size_t slot = 0; slot < function.insns.size();) {
    const Insn& insn = function.insns[slot];
    const OpcodeInfo* info = decode(insn);
    if (info == nullptr) break;
    if (targets[slot]) constants.forget();
    facts.used |= 1u << insn.dst;
    if (info->selector != Selector::kSrc) facts.used |= 1u << insn.src;
    if (is_tail_call(*info, insn)) {
      facts.has_tail_call = facts.tail_call_reachable = true;
      facts.tail_calls.push_back(constants.site(static_cast<int>(slot)));
    } else if (info->operation == Operation::kCallHelper ||
               info->operation == Operation::kCallFunction ||
               info->operation == Operation::kThrow) {
      facts.calls = true;
    }
    constants.step(*info, std::span(function.insns).subspan(slot));
    slot += static_cast<std::size_t>(slot_count(insn));
  }
  return facts;
}

// Taking a function's address counts as calling it. False when nothing changed.
bool spread_reachability(const Program& program, std::vector<FunctionFacts>& facts) {
  bool changed = false;
  for (std::size_t f = 0; f < program.functions.size(); ++f) {
    const auto& insns = program.functions[f].insns;
    for (std::size_t slot = 0; slot < insns.size();
         slot += static_cast<std::size_t>(slot_count(insns[slot]))) {
      const OpcodeInfo* info = decode(insns[slot]);
      if (info == nullptr || !refers_to_function(*info)) continue;
      const auto callee = static_cast<std::size_t>(insns[slot].immediate);
      if (callee >= facts.size() || !facts[callee].tail_call_reachable) continue;
      changed |= !facts[f].tail_call_reachable;
      facts[f].tail_call_reachable = true;
    }
  }
  return changed;
}

}  // namespace

std::vector<FunctionFacts> analyse(const Program& program) {
  std::vector<FunctionFacts> facts;
  facts.reserve(program.functions.size());
  for (const Function& function : program.functions) facts.push_back(analyse_function(function));
  if (!facts.empty()) {
    facts.front().is_main = true;
    facts.front().is_boundary = throws(program);
  }
  if (program.exception_callback != kNoFunction) {
    facts[static_cast<std::size_t>(program.exception_callback)].is_exception_callback = true;
  }
  while (spread_reachability(program, facts)) {
  }
  return facts;
}

}  // namespace plumb::jit::reference
