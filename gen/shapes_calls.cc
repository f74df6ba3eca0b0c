// SPDX-License-Identifier: GPL-2.0-or-later
// Shapes of one program whose functions call one another.
#include <algorithm>
#include <vector>

#include "core/case.h"
#include "core/contract.h"
#include "gen/planning.h"

namespace plumb::gen {
namespace {

constexpr Mix kCallMix{.alu = 5,
                       .load = 3,
                       .store = 3,
                       .spill = 1,
                       .branch = 2,
                       .leave = 1,
                       .loop = 1,
                       .call = 2,
                       .helper = 1};

CasePlan finish(CasePlan plan, ProgramPlan program) {
  fit_stack(program);
  plan.programs.push_back(std::move(program));
  return plan;
}

// `count` more functions, each called by one that stands before it, some by two.
void grow_tree(ChoiceStream& choices, ProgramPlan& program, int count, int buffer_percent,
               const Mix& mix) {
  for (int i = 0; i < count; ++i) {
    const int existing = static_cast<int>(program.functions.size());
    const int caller = choices.range(std::max(0, existing - 2), existing - 1);
    FunctionPlan function = draw_function(choices, mix, {.low = 0, .high = 4});
    draw_arguments(choices, function, false, buffer_percent);
    const int index = add_subprogram(program, caller, std::move(function));
    if (choices.chance(25)) {
      const int second = choices.range(0, index - 1);
      program.functions[static_cast<std::size_t>(second)].calls.push_back(index);
    }
  }
}

}  // namespace

CasePlan plan_subprograms(ChoiceStream& choices) {
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  program.functions.push_back(draw_main(choices, kCallMix, {.low = 0, .high = 4}));
  const int count = choices.range(1, 4);
  grow_tree(choices, program, count, 20, kCallMix);
  return finish(std::move(plan), std::move(program));
}

CasePlan plan_deep_calls(ChoiceStream& choices) {
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  program.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 1}));
  const int frames = choices.range(5, kMaxCallDepth);
  for (int i = 1; i < frames; ++i) {
    FunctionPlan function = draw_function(choices, kPlainMix, {.low = 0, .high = 1});
    draw_arguments(choices, function, false, 25);
    add_subprogram(program, i - 1, std::move(function));
  }
  return finish(std::move(plan), std::move(program));
}

CasePlan plan_stack_pointers(ChoiceStream& choices) {
  constexpr Mix kMix{
      .alu = 2, .load = 4, .store = 6, .atomic = 2, .indexed = 1, .spill = 2, .loop = 1};
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  program.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
  const int count = choices.range(1, 3);
  for (int i = 0; i < count; ++i) {
    const int caller = choices.range(0, static_cast<int>(program.functions.size()) - 1);
    FunctionPlan function = draw_function(choices, kMix, {.low = 1, .high = 4});
    const int size = choices.pick({1, 3, 8, 8, 12, 16, 24, 40});
    draw_arguments(choices, function, false, 40);
    if (function.arguments.size() == 5) function.arguments.pop_back();
    function.arguments.push_back({.kind = ArgumentKind::kBuffer, .size = size});
    add_subprogram(program, caller, std::move(function));
  }
  for (FunctionPlan& function : program.functions) {
    if (function.stack_depth < 24) function.stack_depth += choices.range(24, 72);
  }
  return finish(std::move(plan), std::move(program));
}

CasePlan plan_callee_saved(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 6, .store = 1, .branch = 1, .call = 2, .helper = 1};
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  program.functions.push_back(draw_main(choices, kMix, {.low = 0, .high = 3}));
  const int count = choices.range(1, 4);
  grow_tree(choices, program, count, 10, kMix);
  for (FunctionPlan& function : program.functions) {
    function.saved |= std::uint32_t{1} << choices.range(6, 9);
    function.saved |= std::uint32_t{1} << choices.range(6, 9);
  }
  return finish(std::move(plan), std::move(program));
}

CasePlan plan_callbacks(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 4, .load = 2, .store = 3, .atomic = 1, .branch = 1};
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  const Mix& mix = choices.chance(30) ? kMix : kPlainMix;
  program.functions.push_back(draw_main(choices, mix, {.low = 0, .high = 2}));
  if (choices.chance(35)) {
    FunctionPlan between = draw_function(choices, kPlainMix, {.low = 0, .high = 2});
    draw_arguments(choices, between, false, 25);
    add_subprogram(program, 0, std::move(between));
  }
  const std::size_t callers = program.functions.size();
  const int count = choices.range(1, 2);
  for (int i = 0; i < count; ++i) {
    FunctionPlan callback = draw_function(choices, kMix, {.low = 1, .high = 3});
    callback.is_callback = true;
    callback.arguments.push_back({.kind = ArgumentKind::kScalar});
    const bool buffer = choices.chance(70);
    const int size = choices.pick({4, 8, 8, 16, 24});
    callback.arguments.push_back(buffer ? Argument{.kind = ArgumentKind::kBuffer, .size = size}
                                        : Argument{});
    const int index = static_cast<int>(program.functions.size());
    program.functions.push_back(std::move(callback));
    // The second is sometimes called back by the first.
    const bool nested = i > 0 && choices.chance(25);
    FunctionPlan& caller = program.functions[nested ? callers : choices.below(callers)];
    caller.callbacks.push_back(index);
    // Room for what the callback gets a pointer to.
    if (buffer && caller.stack_depth < 72) caller.stack_depth += 72;
  }
  if (choices.chance(35)) {
    FunctionPlan leaf = draw_function(choices, kPlainMix, {.low = 0, .high = 2});
    draw_arguments(choices, leaf, false, 25);
    const int caller = static_cast<int>(program.functions.size()) - 1;
    add_subprogram(program, caller, std::move(leaf));
  }
  return finish(std::move(plan), std::move(program));
}

CasePlan plan_odd_stack(ChoiceStream& choices) {
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  program.functions.push_back(draw_main(choices, kCallMix, {.low = 0, .high = 3}));
  const int count = choices.range(1, 3);
  if (choices.chance(50)) {
    grow_tree(choices, program, count, 25, kCallMix);
  } else {
    // A frame whose size is not rounded misplaces what a tail-calling callee needs from it.
    FunctionPlan leaf = draw_function(choices, kPlainMix, {.low = 0, .high = 2});
    draw_arguments(choices, leaf, true, 25);
    plan.arrays.push_back({1});
    leaf.tail_calls.push_back(draw_tail_call(choices, plan, 0, 0));
    add_subprogram(program, 0, std::move(leaf));
    ProgramPlan target;
    target.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
    target.functions[0].stack_depth |= 1;
    plan.programs.push_back(std::move(target));
  }
  for (FunctionPlan& function : program.functions) {
    function.stack_depth = choices.pick({1,  3,  5,  7,  9,  11, 12, 13, 15, 17, 18, 20,  21, 25,
                                         27, 28, 29, 31, 33, 36, 47, 52, 65, 77, 90, 100, 119});
  }
  fit_stack(program);
  plan.programs.insert(plan.programs.begin(), std::move(program));
  return plan;
}

CasePlan plan_max_stack(ChoiceStream& choices) {
  constexpr int kStep = kEveryVerifier.chain_rounding;
  ProgramPlan program;
  CasePlan plan = draw_blank_case(choices);
  program.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
  const int frames = choices.pick({1, 2, 2, 3, 3, 4, 6});
  const bool tail_call = frames > 1 && choices.chance(40);
  for (int i = 1; i < frames; ++i) {
    FunctionPlan function = draw_function(choices, kPlainMix, {.low = 0, .high = 2});
    draw_arguments(choices, function, tail_call, 30);
    add_subprogram(program, i - 1, std::move(function));
  }
  // Whole steps are dealt out, one to each frame and the rest anywhere, until the limit is reached;
  // then some frames lose odd bytes.
  const int above = frames - 1;
  int left = (tail_call ? kMaxCallerDepthWithTailCall - kStep : kMaxStackDepth) / kStep;
  std::vector<int> steps(static_cast<std::size_t>(frames), 1);
  for (left -= tail_call ? above : frames; left > 0; --left) {
    const int to = choices.range(0, tail_call ? above - 1 : frames - 1);
    ++steps[static_cast<std::size_t>(to)];
  }
  if (tail_call) steps.back() = kMaxStackDepth / kStep - (kMaxCallerDepthWithTailCall / kStep - 1);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const int odd = choices.pick({0, 0, 1, 3, 4, 7, 8, 13, 16, 19, 24, 31});
    program.functions[i].stack_depth = kStep * steps[i] - odd;
  }
  if (!tail_call) return finish(std::move(plan), std::move(program));
  plan.arrays.push_back({1, kNoProgram});
  program.functions.back().tail_calls.push_back(draw_tail_call(choices, plan, 0, 0));
  ProgramPlan target;
  target.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
  target.functions[0].stack_depth = choices.pick({0, 8, 256, 505, 512});
  fit_stack(program);
  plan.programs.push_back(std::move(program));
  plan.programs.push_back(std::move(target));
  return plan;
}

}  // namespace plumb::gen
