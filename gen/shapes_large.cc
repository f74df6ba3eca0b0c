// SPDX-License-Identifier: GPL-2.0-or-later
// Shapes whose functions are longer than a branch reaches.
#include <utility>

#include "core/case.h"
#include "gen/planning.h"

namespace plumb::gen {
namespace {

// Where the long code is: in the main function, in a subprogram, or in both.
CasePlan plan_around_far(ChoiceStream& choices, const Mix& far, int least, int most) {
  CasePlan plan = draw_blank_case(choices);
  plan.v4 = choices.chance(40);
  ProgramPlan program;
  program.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
  const int where = choices.pick({0, 1, 1, 2, 2, 2});
  const int statements = choices.range(least, most);
  int last = 0;
  if (where > 0) {
    FunctionPlan subprogram = draw_function(choices, kPlainMix, {.low = 0, .high = 2});
    draw_arguments(choices, subprogram, true, 20);
    if (where == 1) {
      subprogram.mix = far;
      subprogram.statements = statements;
    }
    last = add_subprogram(program, 0, std::move(subprogram));
  }
  if (where != 1) {
    program.functions[0].mix = far;
    program.functions[0].statements = statements;
    // A call on either side of the code.
    if (last != 0 && choices.chance(60)) program.functions[0].calls.push_back(last);
  }
  if (choices.chance(50)) {
    plan.arrays.push_back({kNoProgram, 1, kNoProgram});
    FunctionPlan& caller =
        program.functions[choices.chance(50) ? 0 : static_cast<std::size_t>(last)];
    for (int n = choices.range(1, 2); n > 0; --n) {
      const int key = choices.pick({0, 1, 1, 3});
      caller.tail_calls.push_back(draw_tail_call(choices, plan, 0, key));
    }
    ProgramPlan target;
    target.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
    if (choices.chance(30)) {
      target.functions[0].mix = far;
      target.functions[0].statements = 1;
    }
    plan.programs.push_back(std::move(program));
    plan.programs.push_back(std::move(target));
  } else {
    plan.programs.push_back(std::move(program));
  }
  for (ProgramPlan& each : plan.programs) fit_stack(each);
  return plan;
}

}  // namespace

CasePlan plan_long_functions(ChoiceStream& choices) {
  return plan_around_far(choices, {.stretch = 1}, 1, 3);
}

CasePlan plan_large_functions(ChoiceStream& choices) {
  // One that falls into a block or a loop is replaced by arithmetic.
  return plan_around_far(choices, {.expanse = 1}, 2, 3);
}

}  // namespace plumb::gen
