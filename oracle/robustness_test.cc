// SPDX-License-Identifier: GPL-2.0-or-later
//
// Code that nobody wrote: whatever the bits say, a run ends with an answer, and with the same one
// the second time. The sanitizers watch.
#include <algorithm>

#include "core/opcode.h"
#include "core/rng.h"
#include "oracle/testing_oracle.h"
#include "oracle/validate.h"

namespace plumb::oracle {
namespace {

// callee: the function after the one that is made; seldom another, which may be itself or nothing.
std::int32_t immediate_for(const OpcodeInfo& info, std::int32_t callee, Rng& rng) {
  constexpr std::int32_t kHelpers[] = {5, 6, 7, 12, 12, 16, 26, 28, 181};
  switch (info.operation) {
    case Operation::kCallHelper:
      return kHelpers[rng.below(std::size(kHelpers))];
    case Operation::kCallFunction:
    case Operation::kLoadFunction:
      return rng.below(32) == 0 ? static_cast<std::int32_t>(rng.below(5)) : callee;
    case Operation::kLoadArray:
    case Operation::kLoadRegion:
      return rng.below(16) == 0 ? 1 : 0;
    default:
      return rng.below(4) == 0 ? static_cast<std::int32_t>(rng.next())
                               : static_cast<std::int32_t>(rng.below(40)) - 8;
  }
}

// Mostly the registers that random_function() sets.
std::uint8_t random_register(Rng& rng) {
  constexpr std::uint8_t kUsual[] = {0, 0, 1, 6, 7, 8, 9, 10};
  return rng.below(8) == 0 ? static_cast<std::uint8_t>(rng.below(kRegisterCount))
                           : kUsual[rng.below(std::size(kUsual))];
}

// An instruction that the parser would take, but for its references.
Insn random_insn(std::int32_t callee, Rng& rng) {
  while (true) {
    const OpcodeInfo& info =
        rng.below(5) == 0
            ? opcode_info(rng.below(2) == 0 ? Opcode::kCallFunction : Opcode::kCallHelper)
            : opcode_table()[rng.below(opcode_table().size())];
    Insn insn = make_insn(info.id, random_register(rng), 0, 0, immediate_for(info, callee, rng));
    if (info.selector != Selector::kSrc && info.operand != Operand::kImm) {
      insn.src = random_register(rng);
    }
    // Fields that a form does not use are zero; which it uses, malformed() knows.
    Insn with_offset = insn;
    with_offset.offset = is_jump(info.operation)
                             ? static_cast<std::int16_t>(rng.below(3))
                             : static_cast<std::int16_t>(static_cast<int>(rng.below(32)) - 24);
    if (malformed(with_offset) == nullptr) return with_offset;
    if (malformed(insn) != nullptr) insn.dst = 0;
    if (malformed(insn) != nullptr) insn.src = 0;
    if (rng.below(32) == 0 || malformed(insn) == nullptr) return insn;
  }
}

std::vector<Insn> random_function(std::int32_t index, Rng& rng) {
  constexpr std::int32_t kLast = 3;
  // Something to work with: the context, a scalar, a region, the stack.
  std::vector<Insn> insns = {
      make_insn(Opcode::kMov64Imm, 0, 0, 0, 1),    make_insn(Opcode::kMov64Reg, 6, 0),
      make_insn(Opcode::kLoadRegion, 7),           Insn{},
      make_insn(Opcode::kMov64Reg, 8, 10),         make_insn(Opcode::kMov64Imm, 9, 0, 0, -3),
      make_insn(Opcode::kStoreImm64, 10, 0, -8, 5)};
  const std::uint64_t count = rng.below(12);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Insn insn = random_insn(std::min(index + 1, kLast), rng);
    const bool calls_itself = index == kLast && insn.opcode == 0x85 && insn.src == kPseudoCall;
    if (!calls_itself) insns.push_back(insn);
    if (slot_count(insns.back()) == 2) insns.push_back({});
  }
  insns.push_back(make_insn(Opcode::kMov64Imm, 0));
  insns.push_back(make_insn(Opcode::kExit));
  return insns;
}

Case random_case(std::uint64_t seed) {
  Rng rng(seed);
  Case value;
  value.context.resize(rng.below(24));
  value.regions.push_back({"a", std::vector<std::uint8_t>(1 + rng.below(24))});
  value.arrays.push_back({"jmp", {0, kNoProgram, 1}});
  for (const char* program : {"p", "q"}) {
    value.programs.push_back({program, {}});
    for (int i = 0; i < 4; ++i) {
      value.programs.back().functions.push_back({i == 0 ? "main" : "f" + std::to_string(i),
                                                 random_function(i, rng),
                                                 static_cast<int>(8 + rng.below(80))});
    }
  }
  return value;
}

TEST(Robustness, RandomCodeAlwaysHasOneAnswer) {
  int sound = 0;
  int defined = 0;
  int with_events = 0;
  for (std::uint64_t seed = 0; seed < 30'000; ++seed) {
    const Case value = random_case(seed);
    const Execution e = run(value, {}, {.fuel = 2000});
    ASSERT_EQ(e, run(value, {}, {.fuel = 2000})) << seed;
    ASSERT_EQ(e.defined, e.undefined_reason.empty()) << seed;
    ASSERT_EQ(e.activation_function.size(), e.activations) << seed;
    const bool structural = validate(value, {}).has_value();
    ASSERT_TRUE(!structural || e.instructions == 0) << seed;
    sound += structural ? 0 : 1;
    defined += e.defined ? 1 : 0;
    with_events += e.trace.size() > 1 ? 1 : 0;
  }
  // The generator is no use when it gets nowhere.
  EXPECT_GT(sound, 5000);
  EXPECT_GT(defined, 500);
  EXPECT_GT(with_events, 100);
  RecordProperty("sound", sound);
  RecordProperty("defined", defined);
}

}  // namespace
}  // namespace plumb::oracle
