// SPDX-License-Identifier: GPL-2.0-or-later
// Shapes with tail calls, and the mixture of all.
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "core/case.h"
#include "gen/planning.h"

namespace plumb::gen {
namespace {

constexpr Mix kTailMix{.alu = 4, .load = 2, .store = 2, .branch = 1, .helper = 1};
// 34 activations run: each must be short.
constexpr Mix kShortMix{.alu = 4, .load = 1, .store = 1, .helper = 1};
constexpr std::uint64_t kShortCost = 60;

FunctionPlan short_function(ChoiceStream& choices, bool is_main) {
  FunctionPlan function = is_main ? draw_main(choices, kShortMix, {.low = 0, .high = 1})
                                  : draw_function(choices, kShortMix, {.low = 0, .high = 1});
  if (choices.chance(60)) function.saved &= function.saved - 1;
  return function;
}

// One array: slot i holds program i, then empty slots.
void add_array(ChoiceStream& choices, CasePlan& plan, int programs) {
  std::vector<int> slots(static_cast<std::size_t>(programs));
  std::iota(slots.begin(), slots.end(), 0);
  for (int more = choices.pick({0, 0, 1, 2, 5}); more > 0; --more) slots.push_back(kNoProgram);
  plan.arrays.push_back(std::move(slots));
}

// Attempts that fail on the way to the limit: they must not count (an empty slot: as the contract
// says).
void draw_failing_attempt(ChoiceStream& choices, CasePlan& plan, FunctionPlan& function) {
  if (!choices.chance(25)) return;
  const int slots = static_cast<int>(plan.arrays[0].size());
  const bool has_empty_slot = plan.arrays[0].back() == kNoProgram;
  const int key = has_empty_slot ? slots - 1 : slots;
  function.tail_calls.push_back(draw_tail_call(choices, plan, 0, key));
}

// Ends a chain of programs; sometimes with a subprogram of its own.
ProgramPlan draw_target(ChoiceStream& choices) {
  ProgramPlan target{.functions = {}, .cost_limit = 200};
  target.functions.push_back(draw_main(choices, kTailMix, {.low = 0, .high = 3}));
  if (choices.chance(25)) {
    FunctionPlan subprogram = draw_function(choices, kTailMix, {.low = 0, .high = 2});
    draw_arguments(choices, subprogram, false, 25);
    add_subprogram(target, 0, std::move(subprogram));
  }
  return target;
}

void fit_all(CasePlan& plan) {
  for (ProgramPlan& program : plan.programs) fit_stack(program);
}

CasePlan chain_of_programs(ChoiceStream& choices, int indirect_percent) {
  CasePlan plan = draw_blank_case(choices);
  const int count = choices.range(2, 4);
  add_array(choices, plan, count);
  for (int i = 0; i < count; ++i) plan.programs.push_back(draw_target(choices));
  for (int i = 0; i + 1 < count; ++i) {
    const bool indirect = choices.chance(indirect_percent);
    TailCallPlan next =
        indirect ? indirect_tail_call(choices, plan, 0, i + 1) : direct_tail_call(0, i + 1);
    if (indirect && choices.chance(25)) next.source = KeySource::kCounter;
    plan.programs[static_cast<std::size_t>(i)].functions[0].tail_calls.push_back(next);
  }
  fit_all(plan);
  return plan;
}

}  // namespace

CasePlan plan_tail_chain(ChoiceStream& choices) { return chain_of_programs(choices, 10); }

CasePlan plan_tail_indirect(ChoiceStream& choices) { return chain_of_programs(choices, 100); }

CasePlan plan_tail_refused(ChoiceStream& choices) {
  CasePlan plan = draw_blank_case(choices);
  plan.arrays.push_back({1, kNoProgram, kNoProgram});
  if (choices.chance(30)) plan.arrays.push_back({kNoProgram});
  ProgramPlan program{.functions = {}, .cost_limit = 200};
  program.functions.push_back(draw_main(choices, kTailMix, {.low = 0, .high = 2}));
  int caller = 0;
  if (choices.chance(50)) {
    FunctionPlan subprogram = draw_function(choices, kTailMix, {.low = 0, .high = 2});
    draw_arguments(choices, subprogram, true, 25);
    caller = add_subprogram(program, 0, std::move(subprogram));
  }
  auto& tail_calls = program.functions[static_cast<std::size_t>(caller)].tail_calls;
  for (int refused = choices.range(1, 3); refused > 0; --refused) {
    const auto last = static_cast<int>(plan.arrays.size()) - 1;
    const int array = choices.range(0, last);
    const int slots = static_cast<int>(plan.arrays[static_cast<std::size_t>(array)].size());
    constexpr int kLow = std::numeric_limits<int>::min();
    constexpr int kHigh = std::numeric_limits<int>::max();
    const int outside = choices.pick({slots, slots + 1, 255, 65535, -1, -slots, kLow, kHigh});
    const bool empty = choices.chance(50);
    const int key = empty ? slots - 1 : outside;
    const bool direct = key < 0 || key > 65535 || choices.chance(60);
    tail_calls.push_back(direct ? direct_tail_call(array, key)
                                : indirect_tail_call(choices, plan, array, key));
  }
  if (choices.chance(40)) tail_calls.push_back(direct_tail_call(0, 0));
  plan.programs.push_back(std::move(program));
  plan.programs.push_back(draw_target(choices));
  fit_all(plan);
  return plan;
}

CasePlan plan_tail_in_subprogram(ChoiceStream& choices) {
  CasePlan plan = draw_blank_case(choices);
  add_array(choices, plan, 2);
  ProgramPlan program{.functions = {}, .cost_limit = 300};
  program.functions.push_back(draw_main(choices, kTailMix, {.low = 0, .high = 3}));
  program.functions[0].saved |= std::uint32_t{1} << choices.range(6, 9);
  const int count = choices.range(1, 3);
  for (int i = 0; i < count; ++i) {
    const int caller = choices.range(0, i);
    FunctionPlan subprogram = draw_function(choices, kTailMix, {.low = 0, .high = 2});
    draw_arguments(choices, subprogram, true, 30);
    if (i + 1 == count || choices.chance(50)) {
      const int slot = choices.pick({1, 1, 1, 1, 1, 2});
      subprogram.tail_calls.push_back(draw_tail_call(choices, plan, 0, slot));
    }
    add_subprogram(program, caller, std::move(subprogram));
  }
  plan.programs.push_back(std::move(program));
  plan.programs.push_back(draw_target(choices));
  fit_all(plan);
  return plan;
}

CasePlan plan_tail_limit(ChoiceStream& choices) {
  CasePlan plan = draw_blank_case(choices);
  const int count = choices.pick({1, 1, 1, 2, 3});
  add_array(choices, plan, count);
  for (int i = 0; i < count; ++i) {
    ProgramPlan program{.functions = {}, .cost_limit = kShortCost};
    program.functions.push_back(short_function(choices, true));
    int caller = 0;
    if (choices.chance(20)) {
      FunctionPlan subprogram = short_function(choices, false);
      subprogram.arguments.push_back({.kind = ArgumentKind::kContext});
      caller = add_subprogram(program, 0, std::move(subprogram));
    }
    const int next = (i + 1) % count;
    const TailCallPlan again = draw_tail_call(choices, plan, 0, next);
    FunctionPlan& function = program.functions[static_cast<std::size_t>(caller)];
    draw_failing_attempt(choices, plan, function);
    function.tail_calls.push_back(again);
    plan.programs.push_back(std::move(program));
  }
  fit_all(plan);
  return plan;
}

CasePlan plan_tail_hierarchy(ChoiceStream& choices) {
  CasePlan plan = draw_blank_case(choices);
  const int programs = choices.pick({1, 1, 1, 2});
  add_array(choices, plan, programs);
  for (int i = 0; i < programs; ++i) {
    ProgramPlan program{.functions = {}, .cost_limit = kShortCost};
    program.functions.push_back(short_function(choices, true));
    const int count = choices.pick({2, 2, 2, 3});
    for (int k = 0; k < count; ++k) {
      FunctionPlan subprogram = short_function(choices, false);
      subprogram.arguments.push_back({.kind = ArgumentKind::kContext});
      const int target = choices.range(0, programs - 1);
      if (k == 0) draw_failing_attempt(choices, plan, subprogram);
      subprogram.tail_calls.push_back(draw_tail_call(choices, plan, 0, target));
      add_subprogram(program, 0, std::move(subprogram));
    }
    plan.programs.push_back(std::move(program));
  }
  fit_all(plan);
  return plan;
}

CasePlan plan_tail_in_callback(ChoiceStream& choices) {
  constexpr int kRoomForCell = 72;  // what else lives in the frame leaves a slot free
  CasePlan plan = draw_blank_case(choices);
  add_array(choices, plan, 2);
  ProgramPlan program{.functions = {}, .cost_limit = 300};
  program.functions.push_back(draw_main(choices, kTailMix, {.low = 0, .high = 2}));
  int caller = 0;
  if (choices.chance(30)) {
    FunctionPlan between = draw_function(choices, kTailMix, {.low = 0, .high = 2});
    draw_arguments(choices, between, true, 25);
    caller = add_subprogram(program, 0, std::move(between));
  }
  FunctionPlan callback = draw_function(choices, kShortMix, {.low = 0, .high = 2});
  callback.is_callback = true;
  callback.arguments = {{.kind = ArgumentKind::kScalar}, {.kind = ArgumentKind::kContextCell}};
  const int index = static_cast<int>(program.functions.size());
  program.functions.push_back(std::move(callback));
  FunctionPlan& loops = program.functions[static_cast<std::size_t>(caller)];
  loops.callbacks.push_back(index);
  if (loops.stack_depth < kRoomForCell) loops.stack_depth += kRoomForCell;
  int tail_caller = index;
  if (choices.chance(45)) {
    FunctionPlan inner = draw_function(choices, kShortMix, {.low = 0, .high = 2});
    draw_arguments(choices, inner, true, 25);
    tail_caller = add_subprogram(program, index, std::move(inner));
  }
  // Now and then the program itself again: callbacks of callbacks, up to the limit.
  const int slot = choices.pick({0, 1, 1, 1, 1, 1, 1, 1, 1, 2});
  program.functions[static_cast<std::size_t>(tail_caller)].tail_calls.push_back(
      draw_tail_call(choices, plan, 0, slot));
  if (choices.chance(25)) {
    program.functions[0].tail_calls.push_back(draw_tail_call(choices, plan, 0, 1));
  }
  plan.programs.push_back(std::move(program));
  ProgramPlan target = draw_target(choices);
  target.functions[0].is_callback = choices.chance(70);
  plan.programs.push_back(std::move(target));
  fit_all(plan);
  return plan;
}

CasePlan plan_mixed(ChoiceStream& choices) {
  constexpr Mix kMix{.alu = 4,
                     .load = 2,
                     .store = 2,
                     .atomic = 1,
                     .indexed = 1,
                     .spill = 1,
                     .branch = 2,
                     .leave = 1,
                     .loop = 1,
                     .call = 1,
                     .helper = 1};
  CasePlan plan = draw_blank_case(choices);
  const int count = choices.range(1, 3);
  add_array(choices, plan, count);
  for (int i = 0; i < count; ++i) {
    ProgramPlan program{.functions = {}, .cost_limit = 150};
    program.functions.push_back(draw_main(choices, kMix, {.low = 0, .high = 2}));
    for (int k = choices.range(0, 2); k > 0; --k) {
      FunctionPlan subprogram = draw_function(choices, kMix, {.low = 0, .high = 2});
      const bool tail_call = choices.chance(40);
      draw_arguments(choices, subprogram, tail_call, 30);
      if (tail_call) {
        TailCallPlan call = draw_tail_call(choices, plan, 0, choices.range(0, count));
        call.only_below = choices.pick({0, 2, 3, 4, 6});
        subprogram.tail_calls.push_back(call);
      }
      const int caller = choices.range(0, static_cast<int>(program.functions.size()) - 1);
      // A tail call in the callee needs the context, which its caller must then have.
      const bool reaches_context =
          caller == 0 || !program.functions[static_cast<std::size_t>(caller)].tail_calls.empty();
      add_subprogram(program, reaches_context ? caller : 0, std::move(subprogram));
    }
    if (choices.chance(50)) {
      TailCallPlan call = draw_tail_call(choices, plan, 0, choices.range(0, count));
      call.only_below = choices.pick({0, 2, 3, 5});
      program.functions[0].tail_calls.push_back(call);
    }
    plan.programs.push_back(std::move(program));
  }
  fit_all(plan);
  return plan;
}

CasePlan plan_v4(ChoiceStream& choices) {
  CasePlan plan;
  switch (choices.below(7)) {
    case 0:
      plan = plan_alu(choices);
      break;
    case 1:
      plan = plan_memory(choices);
      break;
    case 2:
      plan = plan_branches(choices);
      break;
    case 3:
      plan = plan_loops(choices);
      break;
    case 4:
      plan = plan_subprograms(choices);
      break;
    case 5:
      plan = plan_callbacks(choices);
      break;
    default:
      plan = plan_mixed(choices);
  }
  plan.v4 = true;
  return plan;
}

}  // namespace plumb::gen
