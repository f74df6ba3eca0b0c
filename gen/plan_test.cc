// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/plan.h"

#include <gtest/gtest.h>

namespace plumb::gen {
namespace {

ProgramPlan chain(std::vector<int> depths) {
  ProgramPlan program;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    FunctionPlan function;
    function.stack_depth = depths[i];
    if (i + 1 < depths.size()) function.calls.push_back(static_cast<int>(i) + 1);
    program.functions.push_back(function);
  }
  return program;
}

std::vector<int> depths_of(const ProgramPlan& program) {
  std::vector<int> depths;
  for (const FunctionPlan& function : program.functions) depths.push_back(function.stack_depth);
  return depths;
}

TEST(FitStack, LeavesWhatFits) {
  ProgramPlan program = chain({255, 129, 96});  // 256 + 160 + 96 = 512
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{255, 129, 96}));
}

TEST(FitStack, ShrinksTheDeepestFrameOfAChain) {
  ProgramPlan program = chain({255, 129, 97});
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{223, 129, 97}));
}

// Kernel 6.1 counts 32 bytes for it.
TEST(FitStack, CountsAFrameWithoutStack) {
  ProgramPlan program = chain({481, 0});
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{449, 0}));
}

TEST(FitStack, CountsCallbacksAsCallees) {
  ProgramPlan program = chain({512});
  program.functions.emplace_back();
  program.functions[1].stack_depth = 16;
  program.functions[0].callbacks.push_back(1);
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{480, 16}));
}

TEST(FitStack, LeavesLessThan256BytesAboveATailCall) {
  ProgramPlan program = chain({224, 256});
  program.functions[1].tail_calls.push_back({});
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{224, 256}));
  program.functions[0].stack_depth = 225;
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{193, 256}));
}

TEST(FitStack, LooksAtTheDeepestOfSeveralWays) {
  ProgramPlan program = chain({64, 320, 192});
  program.functions[0].calls.push_back(2);
  fit_stack(program);
  EXPECT_EQ(depths_of(program), (std::vector{64, 256, 192}));
}

}  // namespace
}  // namespace plumb::gen
