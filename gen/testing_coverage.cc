// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/testing_coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>

#include "core/helper_model.h"
#include "core/insn.h"
#include "core/opcode.h"

namespace plumb::gen {
namespace {

enum class Dimension : std::uint8_t { kFrame, kCall, kRegisters, kStack };

// A function, and what its program says of it.
struct FunctionFacts {
  const Function& function;
  bool is_main = false;
  bool is_called_back = false;
  std::vector<std::pair<const OpcodeInfo*, Insn>> insns{};  // without the second slots
};

template <typename Matches>
bool any_insn(const FunctionFacts& facts, Matches matches) {
  return std::ranges::any_of(facts.insns,
                             [&](const auto& one) { return matches(*one.first, one.second); });
}

bool calls(const FunctionFacts& facts, std::int32_t helper) {
  return any_insn(facts, [helper](const OpcodeInfo& info, const Insn& insn) {
    return info.id == Opcode::kCallHelper && insn.immediate == helper;
  });
}

// Of R6 to R9, as a set of bits.
unsigned saved(const FunctionFacts& facts) {
  unsigned set = 0;
  for (const auto& [info, insn] : facts.insns) {
    const bool writes = is_alu(info->operation) || info->operation == Operation::kLoad;
    if (writes && insn.dst >= 6 && insn.dst <= 9) set |= 1u << insn.dst;
  }
  return set;
}

bool writes_memory(const OpcodeInfo& info) {
  return info.operation == Operation::kStore || is_atomic(info.operation);
}

bool names_r10(const FunctionFacts& facts, bool as_destination) {
  return any_insn(facts, [as_destination](const OpcodeInfo&, const Insn& insn) {
    return (as_destination ? insn.dst : insn.src) == kFramePointerRegister;
  });
}

bool has_tail_call(const FunctionFacts& facts, bool by_constant) {
  for (std::size_t i = 1; i < facts.insns.size(); ++i) {
    const auto& [info, insn] = facts.insns[i];
    if (info->id != Opcode::kCallHelper || insn.immediate != kTailCallHelper) continue;
    const auto& [before, key] = facts.insns[i - 1];
    const bool constant = before->id == Opcode::kMov64Imm && key.dst == 3;
    if (constant == by_constant) return true;
  }
  return false;
}

bool has_is_main(const FunctionFacts& f) { return f.is_main; }
bool has_is_subprogram(const FunctionFacts& f) { return !f.is_main && !f.is_called_back; }
bool has_is_callback(const FunctionFacts& f) { return f.is_called_back; }
bool has_no_stack(const FunctionFacts& f) { return f.function.stack_depth == 0; }
bool has_odd_stack(const FunctionFacts& f) { return f.function.stack_depth % 8 != 0; }
bool has_half_stack(const FunctionFacts& f) { return f.function.stack_depth % 16 == 8; }
bool has_even_stack(const FunctionFacts& f) {
  return f.function.stack_depth > 0 && f.function.stack_depth % 16 == 0;
}
bool has_far_stack(const FunctionFacts& f) { return f.function.stack_depth > 128; }

bool has_calls_nobody(const FunctionFacts& f) {
  return !any_insn(f, [](const OpcodeInfo& info, const Insn&) {
    return info.id == Opcode::kCallHelper || info.id == Opcode::kCallFunction;
  });
}
bool has_calls_helper(const FunctionFacts& f) {
  return any_insn(f, [](const OpcodeInfo& info, const Insn& insn) {
    return info.id == Opcode::kCallHelper && insn.immediate != kTailCallHelper &&
           insn.immediate != kLoopHelper;
  });
}
bool has_calls_function(const FunctionFacts& f) {
  return any_insn(
      f, [](const OpcodeInfo& info, const Insn&) { return info.id == Opcode::kCallFunction; });
}
bool has_calls_back(const FunctionFacts& f) { return calls(f, kLoopHelper); }
bool has_tail_calls_constant(const FunctionFacts& f) { return has_tail_call(f, true); }
bool has_tail_calls_variable(const FunctionFacts& f) { return has_tail_call(f, false); }

bool has_saves_none(const FunctionFacts& f) { return saved(f) == 0; }
bool has_saves_some(const FunctionFacts& f) { return saved(f) != 0 && saved(f) != 0x3c0; }
bool has_saves_all(const FunctionFacts& f) { return saved(f) == 0x3c0; }
bool has_r10_unnamed(const FunctionFacts& f) { return !names_r10(f, true) && !names_r10(f, false); }
bool has_r10_only_source(const FunctionFacts& f) {
  return !names_r10(f, true) && names_r10(f, false);
}
bool has_v4_instructions(const FunctionFacts& f) {
  return any_insn(f, [](const OpcodeInfo& info, const Insn&) { return info.version >= 4; });
}

bool has_stores_by_r10(const FunctionFacts& f) {
  return any_insn(f, [](const OpcodeInfo& info, const Insn& insn) {
    return info.operation == Operation::kStore && insn.dst == kFramePointerRegister;
  });
}
bool has_loads_by_r10(const FunctionFacts& f) {
  return any_insn(f, [](const OpcodeInfo& info, const Insn& insn) {
    return !writes_memory(info) && !is_alu(info.operation) && insn.src == kFramePointerRegister;
  });
}
bool has_atomic_by_r10(const FunctionFacts& f) {
  return any_insn(f, [](const OpcodeInfo& info, const Insn& insn) {
    return is_atomic(info.operation) && insn.dst == kFramePointerRegister;
  });
}
bool has_copies_r10(const FunctionFacts& f) {
  return any_insn(f, [](const OpcodeInfo& info, const Insn& insn) {
    return info.id == Opcode::kMov64Reg && insn.src == kFramePointerRegister;
  });
}
bool stores(const FunctionFacts& f, Operand what) {
  return any_insn(f, [what](const OpcodeInfo& info, const Insn& insn) {
    return info.operation == Operation::kStore && info.operand == what &&
           insn.dst == kFramePointerRegister;
  });
}
bool has_stores_registers(const FunctionFacts& f) { return stores(f, Operand::kReg); }
bool has_stores_constants(const FunctionFacts& f) { return stores(f, Operand::kImm); }

enum class Feature : std::uint8_t {
#define PLUMB_FEATURE(dimension, id, name) id,
#include "gen/testing_coverage.inc"
};

struct FeatureRow {
  Dimension dimension;
  std::string_view name;
  bool (*shows)(const FunctionFacts&);
};
constexpr std::array kFeatures{
#define PLUMB_FEATURE(dimension, id, name) FeatureRow{Dimension::dimension, name, has_##id},
#include "gen/testing_coverage.inc"
};

struct ImpossibleRow {
  Feature one, other;
  std::string_view reason;
};
constexpr std::array kImpossible{
#define PLUMB_IMPOSSIBLE(one, other, reason) ImpossibleRow{Feature::one, Feature::other, reason},
#include "gen/testing_coverage.inc"
};

bool is_impossible(std::size_t one, std::size_t other) {
  return std::ranges::any_of(kImpossible, [&](const ImpossibleRow& row) {
    const auto a = static_cast<std::size_t>(row.one);
    const auto b = static_cast<std::size_t>(row.other);
    return (a == one && b == other) || (a == other && b == one);
  });
}

std::string pair_name(std::size_t one, std::size_t other) {
  return fmt::format("{} x {}", kFeatures[one].name, kFeatures[other].name);
}

FunctionFacts facts_of(const Program& program, std::size_t index) {
  FunctionFacts facts{.function = program.functions[index], .is_main = index == 0};
  const auto for_each = [](const Function& function, auto visit) {
    for (std::size_t slot = 0; slot < function.insns.size();) {
      const Insn& insn = function.insns[slot];
      visit(decode(insn), insn);
      slot += static_cast<std::size_t>(slot_count(insn));
    }
  };
  for_each(facts.function, [&](const OpcodeInfo* info, const Insn& insn) {
    if (info != nullptr) facts.insns.emplace_back(info, insn);
  });
  for (const Function& other : program.functions) {
    for_each(other, [&](const OpcodeInfo* info, const Insn& insn) {
      facts.is_called_back |= info != nullptr && info->id == Opcode::kLoadFunction &&
                              insn.immediate == static_cast<std::int32_t>(index);
    });
  }
  return facts;
}

// Every pair of different dimensions, the lower number first.
template <typename Visit>
void for_each_pair(Visit visit) {
  for (std::size_t one = 0; one < kFeatures.size(); ++one) {
    for (std::size_t other = one + 1; other < kFeatures.size(); ++other) {
      if (kFeatures[one].dimension != kFeatures[other].dimension) visit(one, other);
    }
  }
}

}  // namespace

void PairCoverage::add(const Case& value) {
  counts_.resize(kFeatures.size(), std::vector<std::uint64_t>(kFeatures.size()));
  for (const Program& program : value.programs) {
    for (std::size_t index = 0; index < program.functions.size(); ++index) {
      const FunctionFacts facts = facts_of(program, index);
      std::bitset<kFeatures.size()> seen;
      for (std::size_t i = 0; i < kFeatures.size(); ++i) seen[i] = kFeatures[i].shows(facts);
      for_each_pair([&](std::size_t one, std::size_t other) {
        counts_[one][other] += seen[one] && seen[other] ? 1 : 0;
      });
      ++functions_;
    }
  }
}

std::vector<std::string> PairCoverage::missing() const {
  std::vector<std::string> names;
  for_each_pair([&](std::size_t one, std::size_t other) {
    const bool seen = functions_ > 0 && counts_[one][other] > 0;
    if (!seen && !is_impossible(one, other)) names.push_back(pair_name(one, other));
  });
  return names;
}

std::vector<std::string> PairCoverage::impossible() const {
  std::vector<std::string> names;
  for_each_pair([&](std::size_t one, std::size_t other) {
    const bool seen = functions_ > 0 && counts_[one][other] > 0;
    if (seen && is_impossible(one, other)) names.push_back(pair_name(one, other));
  });
  return names;
}

std::string PairCoverage::table() const {
  std::string text;
  for_each_pair([&](std::size_t one, std::size_t other) {
    const std::uint64_t count = functions_ > 0 ? counts_[one][other] : 0;
    const double share =
        functions_ > 0 ? 10'000.0 * static_cast<double>(count) / static_cast<double>(functions_)
                       : 0;
    text += fmt::format("{:>8.1f}  {}{}\n", share, pair_name(one, other),
                        is_impossible(one, other) ? " (cannot be)" : "");
  });
  return text;
}

}  // namespace plumb::gen
