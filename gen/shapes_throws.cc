// SPDX-License-Identifier: GPL-2.0-or-later
// Shapes of programs that throw.
#include <algorithm>
#include <utility>

#include "core/case.h"
#include "gen/planning.h"

namespace plumb::gen {
namespace {

constexpr Mix kThrowMix{
    .alu = 5, .load = 2, .store = 3, .spill = 1, .branch = 1, .call = 1, .helper = 1};

void use_saved(ChoiceStream& choices, FunctionPlan& function) {
  function.saved |= std::uint32_t{1} << choices.range(6, 9);
  function.saved |= std::uint32_t{1} << choices.range(6, 9);
}

// Gets the cookie alone, and a stack of its own; calls what nothing else calls.
void add_exception_callback(ChoiceStream& choices, ProgramPlan& program) {
  FunctionPlan callback = draw_function(choices, kThrowMix, {.low = 0, .high = 4});
  callback.arguments.push_back({.kind = ArgumentKind::kScalar});
  callback.stack_depth = choices.pick({0, 0, 8, 16, 40, 100, 256, callback.stack_depth});
  if (choices.chance(50)) use_saved(choices, callback);
  program.exception_callback = static_cast<int>(program.functions.size());
  program.functions.push_back(std::move(callback));
  int caller = program.exception_callback;
  for (int count = choices.pick({0, 0, 1, 1, 2}); count > 0; --count) {
    FunctionPlan callee = draw_function(choices, kPlainMix, {.low = 0, .high = 3});
    draw_arguments(choices, callee, false, 25);
    caller = add_subprogram(program, caller, std::move(callee));
  }
}

// A chain of `frames` functions; the last one throws, others now and then.
ProgramPlan draw_throwing_program(ChoiceStream& choices, int frames) {
  ProgramPlan program;
  const Mix& mix = choices.chance(50) ? kThrowMix : kPlainMix;
  program.functions.push_back(draw_main(choices, mix, {.low = 0, .high = 3}));
  for (int i = 1; i < frames; ++i) {
    FunctionPlan function = draw_function(choices, mix, {.low = 0, .high = 2});
    draw_arguments(choices, function, false, 25);
    add_subprogram(program, i - 1, std::move(function));
  }
  for (FunctionPlan& function : program.functions) {
    if (choices.chance(60)) use_saved(choices, function);
    if (choices.chance(12)) function.throws = Throws::kSometimes;
  }
  program.functions.back().throws = choices.chance(70) ? Throws::kAtEnd : Throws::kSometimes;
  if (choices.chance(40)) {
    FunctionPlan bystander = draw_function(choices, mix, {.low = 0, .high = 3});
    draw_arguments(choices, bystander, false, 25);
    add_subprogram(program, choices.range(0, std::min(frames, kMaxCallDepth - 1) - 1),
                   std::move(bystander));
  }
  return program;
}

}  // namespace

CasePlan plan_exceptions(ChoiceStream& choices) {
  CasePlan plan = draw_blank_case(choices);
  const int frames = choices.pick({1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7, 8});
  ProgramPlan program = draw_throwing_program(choices, frames);
  const bool has_callback = choices.chance(65);
  if (has_callback) add_exception_callback(choices, program);
  // One that is refused, before the throw, or one to a program that may throw itself.
  const int tail_call = choices.pick({0, 0, 0, 1, 2});
  if (tail_call != 0) {
    const int from = choices.range(0, frames - 1);
    FunctionPlan& function = program.functions[static_cast<std::size_t>(from)];
    if (from > 0) {
      // The context is handed down from the main function.
      for (int i = 1; i <= from; ++i) {
        auto& arguments = program.functions[static_cast<std::size_t>(i)].arguments;
        arguments.insert(arguments.begin(), Argument{.kind = ArgumentKind::kContext});
        if (arguments.size() > 5) arguments.resize(5);
      }
    }
    plan.arrays.push_back({tail_call == 1 ? kNoProgram : 1, kNoProgram});
    function.tail_calls.push_back(draw_tail_call(choices, plan, 0, 0));
  }
  fit_stack(program);
  plan.programs.push_back(std::move(program));
  if (tail_call == 2) {
    ProgramPlan target = draw_throwing_program(choices, choices.pick({1, 1, 2, 3}));
    if (choices.chance(50)) add_exception_callback(choices, target);
    fit_stack(target);
    plan.programs.push_back(std::move(target));
  }
  return plan;
}

}  // namespace plumb::gen
