// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "gen/choices.h"
#include "gen/plan.h"

// What the shapes draw their plans with.
namespace plumb::gen {

inline constexpr Mix kPlainMix{.alu = 6, .load = 3, .store = 3, .branch = 1};

// Regions, context; no program yet.
[[nodiscard]] CasePlan draw_blank_case(ChoiceStream& choices);

// Often 0, often small and odd, now and then up to most.
[[nodiscard]] int draw_depth(ChoiceStream& choices, int most = 256);

// A function with frame, saved registers and a number of statements in [low, high].
struct Statements {
  int low = 0;
  int high = 0;
};
[[nodiscard]] FunctionPlan draw_function(ChoiceStream& choices, const Mix& mix,
                                         Statements statements);
// The same with the context as its argument.
[[nodiscard]] FunctionPlan draw_main(ChoiceStream& choices, const Mix& mix, Statements statements);

// Up to five arguments; the context first when it is needed.
void draw_arguments(ChoiceStream& choices, FunctionPlan& function, bool context,
                    int buffer_percent);

// Appends a subprogram, called once from `caller`. Its index.
int add_subprogram(ProgramPlan& program, int caller, FunctionPlan function);

// A tail call to a slot: with a constant key, or with one that the code reads from memory.
[[nodiscard]] TailCallPlan direct_tail_call(int array, std::int32_t key);
[[nodiscard]] TailCallPlan indirect_tail_call(ChoiceStream& choices, CasePlan& plan, int array,
                                              int slot);
[[nodiscard]] TailCallPlan draw_tail_call(ChoiceStream& choices, CasePlan& plan, int array,
                                          int slot);

#define PLUMB_SHAPE(id, name, weight, letters, needs, description) \
  CasePlan plan_##id(ChoiceStream& choices);
#include "gen/shapes.inc"

}  // namespace plumb::gen
