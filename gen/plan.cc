// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/plan.h"

#include <algorithm>

#include "core/case.h"
#include "core/contract.h"

namespace plumb::gen {
namespace {

constexpr int kFrameRounding = kEveryVerifier.chain_rounding;
// The kernel refuses a caller depth of 256 and more (check_max_stack_depth_subprog).
constexpr int kMaxAboveTailCall = kMaxCallerDepthWithTailCall - kFrameRounding;

// As oracle/call_graph.h counts: a frame without stack takes one step, too.
int rounded(int depth) {
  return (std::max(depth, 1) + kFrameRounding - 1) / kFrameRounding * kFrameRounding;
}

// The deepest chain down to each function, itself not counted.
struct Chain {
  int above = 0;
  int caller = -1;
};

std::vector<Chain> deepest_chains(const ProgramPlan& program) {
  std::vector<Chain> chains(program.functions.size());
  for (std::size_t i = 0; i < chains.size(); ++i) {
    const FunctionPlan& function = program.functions[i];
    const int below = chains[i].above + rounded(function.stack_depth);
    const auto reach = [&](int callee) {
      Chain& chain = chains[static_cast<std::size_t>(callee)];
      if (chain.caller >= 0 && below <= chain.above) return;
      chain = {.above = below, .caller = static_cast<int>(i)};
    };
    for (const int callee : function.calls) reach(callee);
    for (const int callee : function.callbacks) reach(callee);
  }
  return chains;
}

// Takes from the deepest frame of the chain that ends at `last`.
void shrink_deepest(ProgramPlan& program, const std::vector<Chain>& chains, int last) {
  int deepest = last;
  for (int at = last; at >= 0; at = chains[static_cast<std::size_t>(at)].caller) {
    const auto depth = [&](int i) {
      return program.functions[static_cast<std::size_t>(i)].stack_depth;
    };
    if (depth(at) > depth(deepest)) deepest = at;
  }
  int& depth = program.functions[static_cast<std::size_t>(deepest)].stack_depth;
  depth -= std::min(depth, kFrameRounding);
}

bool shrink_once(ProgramPlan& program) {
  const std::vector<Chain> chains = deepest_chains(program);
  for (std::size_t i = 0; i < chains.size(); ++i) {
    const FunctionPlan& function = program.functions[i];
    const int above = chains[i].above;
    if (above + rounded(function.stack_depth) > kMaxStackDepth) {
      shrink_deepest(program, chains, static_cast<int>(i));
      return true;
    }
    if (i != 0 && !function.tail_calls.empty() && above > kMaxAboveTailCall) {
      shrink_deepest(program, chains, chains[i].caller);
      return true;
    }
  }
  return false;
}

bool has_tail_call(const ProgramPlan& program) {
  return std::ranges::any_of(program.functions,
                             [](const auto& function) { return !function.tail_calls.empty(); });
}

bool has_callback(const ProgramPlan& program) {
  return std::ranges::any_of(program.functions,
                             [](const auto& function) { return !function.callbacks.empty(); });
}

void leave_out_subprograms(ProgramPlan& program) {
  FunctionPlan& main = program.functions[0];
  for (std::size_t i = 1; i < program.functions.size(); ++i) {
    const std::vector<TailCallPlan>& moved = program.functions[i].tail_calls;
    main.tail_calls.insert(main.tail_calls.end(), moved.begin(), moved.end());
  }
  main.calls.clear();
  main.callbacks.clear();
  main.throws = Throws::kNever;
  program.exception_callback = kNoFunction;
  program.functions.resize(1);
}

void leave_out_tail_calls(CasePlan& plan) {
  plan.programs.resize(1);
  plan.arrays.clear();
  for (FunctionPlan& function : plan.programs[0].functions) function.tail_calls.clear();
}

}  // namespace

void keep_within(CasePlan& plan, std::uint64_t capabilities) {
  const auto lacks = [capabilities](Capability one) {
    return (capabilities & capability_bit(one)) == 0;
  };
  plan.capabilities = capabilities;
  if (lacks(Capability::kV4)) plan.v4 = false;
  if (lacks(Capability::kTailCall)) leave_out_tail_calls(plan);
  for (ProgramPlan& program : plan.programs) {
    const bool may_mix = !lacks(Capability::kTailCallInSubprogram) || !has_tail_call(program);
    const bool may_call_back = !lacks(Capability::kCallBack) || !has_callback(program);
    if (lacks(Capability::kCallSubprograms) || !may_mix || !may_call_back) {
      leave_out_subprograms(program);
    }
  }
}

void fit_stack(ProgramPlan& program) {
  while (shrink_once(program)) {
  }
}

}  // namespace plumb::gen
