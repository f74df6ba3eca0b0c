// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/builder.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace plumb::gen {
namespace {

constexpr int kFrame = kFramePointerRegister;

Builder small_builder() {
  Builder code({.stack_depth = 24, .context_size = 16, .region_sizes = {32}, .buffer_sizes = {8}});
  code.assume(1, {.kind = ValueKind::kContext});
  code.assume(2, {.kind = ValueKind::kBuffer, .index = 0});
  code.assume(3, kAnyScalar);
  return code;
}

// What the verifier would refuse must end the generator, not leave it as a case.
struct Refused {
  std::string name;
  std::function<void(Builder&)> write;
};

class BuilderRefuses : public testing::TestWithParam<Refused> {};

TEST_P(BuilderRefuses, WhatAVerifierWouldRefuse) {
  Builder code = small_builder();
  EXPECT_DEATH(GetParam().write(code), "internal error");
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BuilderRefuses,
    testing::Values(
        Refused{"UninitialisedRegister", [](Builder& c) { c.emit(Opcode::kMov64Reg, 0, 4); }},
        Refused{"UninitialisedTarget", [](Builder& c) { c.emit(Opcode::kAdd64Imm, 0, 0, 0, 1); }},
        Refused{"PointerIn32Bits", [](Builder& c) { c.emit(Opcode::kMov32Reg, 0, 1); }},
        Refused{"PointerMultiplied", [](Builder& c) { c.emit(Opcode::kMul64Imm, 2, 0, 0, 2); }},
        Refused{"ContextMoved", [](Builder& c) { c.emit(Opcode::kAdd64Imm, 1, 0, 0, 8); }},
        Refused{"FramePointerWritten", [](Builder& c) { c.emit(Opcode::kMov64Imm, kFrame); }},
        Refused{"UninitialisedStack", [](Builder& c) { c.emit(Opcode::kLoad8, 0, kFrame, -1); }},
        Refused{"BelowTheFrame", [](Builder& c) { c.emit(Opcode::kStoreImm8, kFrame, 0, -25); }},
        Refused{"AboveTheFrame", [](Builder& c) { c.emit(Opcode::kStoreImm8, kFrame, 0, 0); }},
        Refused{"UnalignedStack", [](Builder& c) { c.emit(Opcode::kStoreImm64, kFrame, 0, -12); }},
        Refused{"BehindTheContext", [](Builder& c) { c.emit(Opcode::kLoad64, 0, 1, 9); }},
        Refused{"BehindTheBuffer", [](Builder& c) { c.emit(Opcode::kLoad8, 0, 2, 8); }},
        Refused{"PointerInBuffer", [](Builder& c) { c.emit(Opcode::kStore64, 2, 1, 0); }},
        Refused{"AtomicOnContext", [](Builder& c) { c.emit(Opcode::kAtomicAdd64, 1, 3, 0); }},
        Refused{"PointerCompared",
                [](Builder& c) {
                  Label to;
                  c.jump_if(Opcode::kJeq64Imm, 1, 0, 0, to);
                }},
        Refused{"ExitWithoutResult", [](Builder& c) { c.exit(); }},
        Refused{"ScratchAfterCall",
                [](Builder& c) {
                  c.call_function(1, 0);
                  c.emit(Opcode::kMov64Reg, 0, 3);
                }},
        Refused{"ResultOfRefusedTailCall",
                [](Builder& c) {
                  c.call_helper(kTailCallHelper);
                  c.exit();
                }},
        Refused{"PartOfSpilledPointer",
                [](Builder& c) {
                  c.emit(Opcode::kStore64, kFrame, 1, -8);
                  c.emit(Opcode::kLoad32, 0, kFrame, -8);
                }},
        Refused{"LoopThatForgets",
                [](Builder& c) {
                  const LoopHead head = c.loop_head(0);
                  c.emit(Opcode::kMov64Imm, 0);
                  c.call_function(1, 0);
                  c.jump_back_if(Opcode::kJne64Imm, 0, 0, 0, head);
                }}),
    [](const testing::TestParamInfo<Refused>& row) { return row.param.name; });

TEST(Builder, JoinKeepsOnlyWhatBothPathsHave) {
  Builder code = small_builder();
  Label otherwise;
  code.jump_if(Opcode::kJeq64Imm, 3, 0, 0, otherwise);
  code.emit(Opcode::kMov64Imm, 0);
  code.emit(Opcode::kMov64Imm, 4);
  code.emit(Opcode::kStoreImm64, kFrame, 0, -8);
  code.emit(Opcode::kStoreImm64, kFrame, 0, -16);
  Label end;
  code.jump(end);
  code.place(otherwise);
  code.emit(Opcode::kMov64Imm, 0);
  code.emit(Opcode::kMov64Reg, 4, 2);
  code.emit(Opcode::kStoreImm64, kFrame, 0, -8);
  code.place(end);
  EXPECT_TRUE(code.at(0).is_scalar());
  EXPECT_EQ(code.at(4).kind, ValueKind::kDead);
  EXPECT_EQ(code.at(1).kind, ValueKind::kContext);
  EXPECT_TRUE(code.state().readable(-8, 8));
  EXPECT_FALSE(code.state().readable(-16, 8));
}

TEST(Builder, SpilledPointerComesBack) {
  Builder code = small_builder();
  code.emit(Opcode::kStore64, kFrame, 2, -16);
  code.call_function(1, 0);
  code.emit(Opcode::kLoad64, 5, kFrame, -16);
  EXPECT_TRUE(code.at(5).points_to(ValueKind::kBuffer, 0));
  code.emit(Opcode::kStoreImm8, kFrame, 0, -9);
  EXPECT_TRUE(code.state().readable(-9, 1));
  EXPECT_FALSE(code.state().readable(-16, 8));
}

TEST(Builder, PointerCopiesKeepTheirOffset) {
  Builder code = small_builder();
  code.emit(Opcode::kMov64Reg, 4, kFrame);
  code.emit(Opcode::kAdd64Imm, 4, 0, 0, -20);
  code.emit(Opcode::kStoreImm32, 4, 0, -4);
  EXPECT_TRUE(code.state().readable(-24, 4));
}

TEST(Builder, ForwardAndBackwardJumpsLandWhereTheyShould) {
  Builder code = small_builder();
  Label skip;
  code.jump_if(Opcode::kJeq64Imm, 3, 0, 0, skip);  // 0
  code.load_imm64(0, 1);                           // 1, 2
  code.place(skip);
  code.emit(Opcode::kMov64Imm, 0);  // 3
  const LoopHead head = code.loop_head(0);
  code.emit(Opcode::kAdd64Imm, 0, 0, 0, 1);             // 4
  code.jump_back_if(Opcode::kJne64Imm, 0, 0, 5, head);  // 5
  code.exit();
  const std::vector<Insn> insns = code.take();
  EXPECT_EQ(jump_target(insns[0], 0), 3);
  EXPECT_EQ(jump_target(insns[5], 5), 4);
}

TEST(Builder, CostCountsLoopsAndCallees) {
  Builder code = small_builder();
  code.emit(Opcode::kMov64Imm, 0);
  const std::uint64_t before = code.cost();
  code.call_function(1, 10);
  code.repeat_cost(before, 3);
  EXPECT_EQ(code.cost(), 1u + 3 * 11);
}

}  // namespace
}  // namespace plumb::gen
