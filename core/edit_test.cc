// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/edit.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <vector>

#include "core/opcode.h"
#include "core/testing_case.h"

namespace plumb {
namespace {

const Insn kExit = make_insn(Opcode::kExit);
Insn jump(std::int16_t offset) { return make_insn(Opcode::kJa, 0, 0, offset); }
Insn mov(std::int32_t immediate) { return make_insn(Opcode::kMov64Imm, 1, 0, 0, immediate); }

TEST(Splice, KeepsWhereJumpsGo) {
  // Forwards across the change, backwards across it, and on either side of it.
  std::vector<Insn> insns = {jump(2), mov(1), jump(-2), jump(-4), kExit};
  ASSERT_TRUE(splice(insns, 1, 2, std::vector<Insn>{mov(7), mov(8), mov(9)}));
  EXPECT_EQ(insns, (std::vector<Insn>{jump(4), mov(7), mov(8), mov(9), jump(-4), jump(-6), kExit}));
}

TEST(Splice, SendsJumpsIntoTheRemovedPartToItsReplacement) {
  std::vector<Insn> insns = {jump(1), mov(1), mov(2), mov(3), kExit};
  ASSERT_TRUE(splice(insns, 1, 4, std::vector<Insn>{mov(7), mov(8)}));
  EXPECT_EQ(insns, (std::vector<Insn>{jump(0), mov(7), mov(8), kExit}));
}

TEST(Splice, SendsJumpsIntoTheRemovedPartBehindIt) {
  std::vector<Insn> insns = {jump(1), mov(1), mov(2), kExit};
  ASSERT_TRUE(splice(insns, 1, 3, {}));
  EXPECT_EQ(insns, (std::vector<Insn>{jump(0), kExit}));
}

TEST(Splice, AJumpToTheInsertionPointStillGoesToTheOldInstruction) {
  std::vector<Insn> insns = {jump(0), kExit};
  ASSERT_TRUE(splice(insns, 1, 1, std::vector<Insn>{mov(7)}));
  EXPECT_EQ(insns, (std::vector<Insn>{jump(1), mov(7), kExit}));
}

TEST(Splice, MovesLongJumpsByTheirImmediate) {
  std::vector<Insn> insns = {make_insn(Opcode::kJal, 0, 0, 0, 1), mov(1), kExit};
  ASSERT_TRUE(splice(insns, 1, 1, std::vector<Insn>{mov(7)}));
  EXPECT_EQ(insns[0], make_insn(Opcode::kJal, 0, 0, 0, 2));
}

TEST(Splice, RefusesAJumpThatWouldLeaveTheFunction) {
  std::vector<Insn> insns = {jump(0), kExit};
  const std::vector<Insn> before = insns;
  EXPECT_FALSE(splice(insns, 1, 2, {}));
  EXPECT_EQ(insns, before);
  EXPECT_FALSE(splice(insns, 1, 1, std::vector<Insn>{jump(5)}));
  EXPECT_EQ(insns, before);
}

TEST(Splice, RefusesAJumpThatNoLongerFits) {
  // Were the offset cut to its 16 bits, the jump would go back and stay in the function.
  constexpr std::int16_t kFarthest = std::numeric_limits<std::int16_t>::max();
  constexpr std::size_t kFrom = 40'000;
  std::vector<Insn> insns(kFrom * 2, kExit);
  insns[kFrom] = jump(kFarthest);
  const std::vector<Insn> before = insns;
  EXPECT_FALSE(splice(insns, kFrom + 1, kFrom + 1, std::vector<Insn>{mov(7)}));
  EXPECT_EQ(insns, before);
}

TEST(Splice, RefusesHalfAWideLoad) {
  std::vector<Insn> insns = {kExit};
  EXPECT_FALSE(splice(insns, 1, 1, std::vector<Insn>{make_insn(Opcode::kLoadImm64, 1)}));
  EXPECT_FALSE(splice(insns, 0, 0, std::vector<Insn>{make_insn(Opcode::kLoadImm64, 1)}));
}

TEST(InstructionStarts, SkipsTheSecondSlotOfWideLoads) {
  const std::vector<Insn> insns = {make_insn(Opcode::kLoadImm64, 1), Insn{}, kExit};
  EXPECT_EQ(instruction_starts(insns), (std::vector<bool>{true, false, true}));
  EXPECT_TRUE(instruction_starts({}).empty());
}

// Enough for a function of many instructions.
const rc::Gen<std::vector<std::uint8_t>> kBytes =
    rc::gen::resize(500, rc::gen::arbitrary<std::vector<std::uint8_t>>());

std::vector<std::size_t> boundaries(const std::vector<Insn>& insns) {
  std::vector<std::size_t> result;
  const std::vector<bool> starts = instruction_starts(insns);
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    if (starts[slot]) result.push_back(slot);
  }
  result.push_back(insns.size());
  return result;
}

bool jumps(const Insn& insn) {
  const OpcodeInfo* info = decode(insn);
  return info != nullptr && is_jump(info->operation);
}

std::int64_t target_of(const std::vector<Insn>& insns, std::size_t slot) {
  return jump_target(insns[slot], static_cast<std::int64_t>(slot));
}

RC_GTEST_PROP(Splice, InsertingAndTakingOutAgainChangesNothing, ()) {
  testing::Choices choices(*kBytes);
  const std::size_t count = choices.below(8);
  std::vector<Insn> insns = testing::random_code(choices);
  const std::vector<Insn> before = insns;
  const std::vector<std::size_t> places = boundaries(insns);
  const std::size_t at = places[choices.below(places.size())];
  RC_ASSERT(splice(insns, at, at, std::vector<Insn>(count, mov(7))));
  RC_ASSERT(insns.size() == before.size() + count);
  RC_ASSERT(splice(insns, at, at + count, {}));
  RC_ASSERT(insns == before);
}

RC_GTEST_PROP(Splice, EveryJumpReachesTheSameInstructionOrTheReplacement, ()) {
  testing::Choices choices(*kBytes);
  const std::vector<Insn> before = testing::random_code(choices);
  const std::vector<std::size_t> places = boundaries(before);
  const std::size_t first = choices.below(places.size());
  const std::size_t begin = places[first];
  const std::size_t end = places[first + choices.below(places.size() - first)];
  const std::vector<Insn> replacement(choices.below(5), mov(7));

  std::vector<Insn> insns = before;
  if (!splice(insns, begin, end, replacement)) {
    RC_ASSERT(insns == before);
    RC_ASSERT(replacement.empty() && end == before.size());  // jumps into it have nowhere to go
    return;
  }
  RC_ASSERT(insns.size() == before.size() - (end - begin) + replacement.size());
  const auto moved = [&](std::size_t slot) {
    if (slot < begin) return slot;
    return slot >= end ? slot - end + begin + replacement.size() : begin;
  };
  const std::vector<bool> starts = instruction_starts(before);
  for (std::size_t slot = 0; slot < before.size(); ++slot) {
    if (!starts[slot] || (slot >= begin && slot < end)) continue;
    if (!jumps(before[slot])) {
      RC_ASSERT(insns[moved(slot)] == before[slot]);
      continue;
    }
    const auto target = static_cast<std::size_t>(target_of(before, slot));
    RC_ASSERT(target_of(insns, moved(slot)) == static_cast<std::int64_t>(moved(target)));
  }
}

}  // namespace
}  // namespace plumb
