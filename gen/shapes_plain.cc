// SPDX-License-Identifier: GPL-2.0-or-later
// Shapes of one program with few calls.
#include "gen/planning.h"

namespace plumb::gen {
namespace {

// A main function, and in some cases a subprogram of the same kind.
CasePlan plan_around(ChoiceStream& choices, const Mix& mix, Statements statements,
                     int subprogram_percent) {
  CasePlan plan = draw_blank_case(choices);
  ProgramPlan program;
  if (!choices.chance(subprogram_percent)) {
    program.functions.push_back(draw_main(choices, mix, statements));
  } else {
    const Statements half{.low = statements.low / 2, .high = (statements.high + 1) / 2};
    program.functions.push_back(draw_main(choices, mix, half));
    FunctionPlan subprogram = draw_function(choices, mix, half);
    draw_arguments(choices, subprogram, choices.chance(20), 25);
    add_subprogram(program, 0, std::move(subprogram));
  }
  fit_stack(program);
  plan.programs.push_back(std::move(program));
  return plan;
}

}  // namespace

CasePlan plan_alu(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 12, .load = 1, .store = 1, .branch = 1};
  return plan_around(choices, kMix, {.low = 8, .high = 18}, 10);
}

CasePlan plan_memory(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 2, .load = 6, .store = 6, .indexed = 2, .spill = 2, .branch = 1};
  return plan_around(choices, kMix, {.low = 8, .high = 16}, 30);
}

CasePlan plan_atomics(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 2, .load = 1, .atomic = 8, .branch = 1};
  return plan_around(choices, kMix, {.low = 6, .high = 14}, 30);
}

CasePlan plan_branches(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 3, .load = 1, .store = 1, .branch = 6, .leave = 2};
  return plan_around(choices, kMix, {.low = 4, .high = 8}, 30);
}

CasePlan plan_far_branches(ChoiceStream& choices) {
  constexpr Mix kMix{.filler = 1, .knot = 1};
  CasePlan plan = draw_blank_case(choices);
  ProgramPlan program;
  program.functions.push_back(draw_main(choices, kPlainMix, {.low = 0, .high = 2}));
  FunctionPlan far = draw_function(choices, kMix, {.low = 1, .high = 1});
  far.statements = choices.pick({1, 1, 1, 2});
  if (choices.chance(50)) {
    draw_arguments(choices, far, false, 10);
    add_subprogram(program, 0, std::move(far));
  } else {
    program.functions[0].mix = far.mix;
    program.functions[0].statements = far.statements;
  }
  plan.programs.push_back(std::move(program));
  return plan;
}

CasePlan plan_loops(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 3, .load = 2, .store = 2, .branch = 1, .loop = 7, .call = 2, .knot = 1};
  return plan_around(choices, kMix, {.low = 3, .high = 6}, 50);
}

CasePlan plan_helpers(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 2, .load = 1, .store = 1, .branch = 1, .helper = 7};
  return plan_around(choices, kMix, {.low = 4, .high = 8}, 50);
}

}  // namespace plumb::gen
