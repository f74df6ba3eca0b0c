// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/planning.h"

#include <algorithm>
#include <array>
#include <utility>

namespace plumb::gen {

CasePlan draw_blank_case(ChoiceStream& choices) {
  CasePlan plan;
  plan.regions.push_back({.size = choices.pick({64, 64, 72, 96, 128})});
  const int more = choices.pick({0, 0, 0, 1, 1, 2});
  for (int i = 0; i < more; ++i) plan.regions.push_back({.size = 8 * choices.range(1, 8)});
  plan.context_size = choices.pick({24, 32, 40, 64, 144});
  return plan;
}

int draw_depth(ChoiceStream& choices, int most) {
  constexpr std::array kKinds{15, 35, 25, 15, 10};
  int depth = 0;
  switch (choices.weighted(kKinds)) {
    case 0:
      break;
    case 1:
      depth = choices.pick({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 17, 20, 23, 25, 28, 33});
      break;
    case 2:
      depth = 8 * choices.range(1, 8);
      break;
    case 3:
      depth = choices.range(1, most);
      break;
    default:
      // Where the displacement from the frame pointer takes a longer form, and larger.
      depth = choices.pick({120, 127, 128, 129, 131, 132, 136, 137, 144, 160, 200, 255, 256});
  }
  return std::min(depth, most);
}

FunctionPlan draw_function(ChoiceStream& choices, const Mix& mix, Statements statements) {
  FunctionPlan function;
  function.stack_depth = draw_depth(choices);
  function.saved = static_cast<std::uint32_t>(choices.below(16)) << 6;
  function.statements = choices.range(statements.low, statements.high);
  function.mix = mix;
  return function;
}

FunctionPlan draw_main(ChoiceStream& choices, const Mix& mix, Statements statements) {
  FunctionPlan function = draw_function(choices, mix, statements);
  function.arguments.push_back({.kind = ArgumentKind::kContext});
  return function;
}

void draw_arguments(ChoiceStream& choices, FunctionPlan& function, bool context,
                    int buffer_percent) {
  const int count = choices.pick({0, 1, 1, 2, 2, 3, 4, 5});
  for (int i = 0; i < count; ++i) {
    Argument argument;
    if (choices.chance(buffer_percent)) {
      const int size = choices.pick({1, 2, 4, 5, 8, 8, 8, 12, 16, 16, 24, 32});
      argument = {.kind = ArgumentKind::kBuffer, .size = size};
    }
    function.arguments.push_back(argument);
  }
  if (!context) return;
  const std::size_t count_now = function.arguments.size();
  const std::size_t at = choices.chance(80) ? 0 : choices.below(count_now + 1);
  function.arguments.insert(function.arguments.begin() + static_cast<std::ptrdiff_t>(at),
                            {.kind = ArgumentKind::kContext});
  if (function.arguments.size() > 5) {
    function.arguments.erase(function.arguments.begin() + (at == 5 ? 0 : 5));
  }
}

int add_subprogram(ProgramPlan& program, int caller, FunctionPlan function) {
  const int index = static_cast<int>(program.functions.size());
  program.functions.push_back(std::move(function));
  program.functions[static_cast<std::size_t>(caller)].calls.push_back(index);
  return index;
}

TailCallPlan direct_tail_call(int array, std::int32_t key) { return {.array = array, .key = key}; }

TailCallPlan indirect_tail_call(ChoiceStream& choices, CasePlan& plan, int array, int slot) {
  const auto key = static_cast<std::size_t>(slot) % kKeyCount;
  plan.keys[key] = static_cast<std::uint16_t>(slot);
  return {.array = array,
          .source = choices.chance(50) ? KeySource::kContext : KeySource::kRegion,
          .key = static_cast<std::int32_t>(key),
          .dirty_key = choices.chance(20)};
}

TailCallPlan draw_tail_call(ChoiceStream& choices, CasePlan& plan, int array, int slot) {
  if (choices.chance(60)) {
    TailCallPlan direct = direct_tail_call(array, slot);
    direct.dirty_key = choices.chance(8);
    return direct;
  }
  return indirect_tail_call(choices, plan, array, slot);
}

}  // namespace plumb::gen
