// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/mutate.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "gen/testing_features.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace plumb::gen {
namespace {

constexpr int kSeedsPerKind = 150;
constexpr int kChains = 150;
constexpr int kChainLength = 12;

bool is_valid(const Case& value) { return !oracle::validate(value).has_value(); }
bool anything(const Case&) { return true; }

// A defined case to start from.
Case base_case(std::uint64_t seed) {
  for (std::uint64_t n = 0;; ++n) {
    Case value = generate(nth_seed(seed, n));
    if (oracle::run(value, {}).defined) return value;
  }
}

bool calls_helpers(const Execution& execution) {
  return std::ranges::any_of(
      execution.trace, [](const Event& event) { return event.kind == EventKind::kHelperCall; });
}

void expect_sound(const Case& value, std::string_view what, std::uint64_t seed) {
  const auto defect = oracle::validate(value);
  ASSERT_FALSE(defect.has_value()) << what << " seed " << seed << ": " << defect->reason << "\n"
                                   << print_case(value);
  const Result<Case> parsed = parse_case(print_case(value));
  ASSERT_TRUE(parsed.has_value()) << what << " seed " << seed << ": " << parsed.error().str();
  ASSERT_EQ(*parsed, value) << what << " seed " << seed;
}

struct Share {
  int tried = 0;
  int changed = 0;  // the mutation found a place
  int valid = 0;    // without a second attempt
  int defined = 0;
  std::map<std::string, int> reasons;  // why not
};

class EveryMutation : public testing::TestWithParam<const MutationKind*> {};

// The check accepts everything here: what is measured is how often a change is right by itself.
TEST_P(EveryMutation, KeepsCasesValidAndMostlyDefined) {
  const MutationKind& kind = *GetParam();
  Share share;
  for (std::uint64_t seed = 0; seed < kSeedsPerKind; ++seed) {
    const Case value = base_case(seed);
    ChoiceStream choices(seed);
    const auto raw = mutate(value, choices, anything, {.kind = &kind, .attempts = 1});
    ++share.tried;
    if (!raw) continue;
    ++share.changed;
    if (!is_valid(*raw)) continue;
    ++share.valid;
    expect_sound(*raw, kind.name, seed);
    const Execution execution = oracle::run(*raw, {});
    share.defined += execution.defined;
    if (!execution.defined) ++share.reasons[execution.undefined_reason];
  }
  fmt::print("{:20} applies {:3}, valid {:3}, defined {:3} of {}\n", kind.name, share.changed,
             share.valid, share.defined, share.tried);
  for (const auto& [reason, count] : share.reasons) fmt::print("  {:4} {}\n", count, reason);
  EXPECT_GE(20 * share.changed, share.tried) << "hardly ever finds a place";
  EXPECT_GE(10 * share.valid, 9 * share.changed) << "the check has to throw most of them away";
  EXPECT_GE(10 * share.defined, 9 * share.valid);
}

std::vector<const MutationKind*> all_kinds() {
  std::vector<const MutationKind*> rows;
  for (const MutationKind& row : mutations()) rows.push_back(&row);
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Mutations, EveryMutation, testing::ValuesIn(all_kinds()),
                         [](const testing::TestParamInfo<const MutationKind*>& row) {
                           std::string name(row.param->name);
                           std::erase(name, '-');
                           return name;
                         });

// What no verifier accepts may be changed too: what comes out is a case whatever goes in.
TEST(Mutate, GivesValidCasesForUndefinedOnesToo) {
  int made = 0;
  int undefined = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Case value = base_case(seed);
    for (const MutationKind& kind : mutations()) {
      ChoiceStream choices(nth_seed(11, seed));
      auto changed = mutate(value, choices, is_valid, {.kind = &kind});
      if (!changed) continue;
      expect_sound(*changed, kind.name, seed);
      ++made;
      undefined += !oracle::run(*changed, {}).defined;
      value = *std::move(changed);
    }
  }
  EXPECT_GT(made, 400);
  EXPECT_GT(undefined, 10);
}

// As a fuzzer does it: one change after the other. An undefined case is not built upon.
TEST(Mutate, ChainsOfMutationsAreValidAndNineInTenDefined) {
  int made = 0;
  int defined = 0;
  std::map<std::string, int> reasons;
  for (std::uint64_t seed = 0; seed < kChains; ++seed) {
    Case value = base_case(seed);
    ChoiceStream choices(nth_seed(7, seed));
    for (int i = 0; i < kChainLength; ++i) {
      auto changed = mutate(value, choices, is_valid);
      if (!changed) continue;
      expect_sound(*changed, "chain", seed);
      EXPECT_NE(*changed, value);
      ++made;
      const Execution execution = oracle::run(*changed, {});
      defined += execution.defined;
      if (execution.defined) {
        value = *std::move(changed);
      } else {
        ++reasons[execution.undefined_reason];
      }
    }
  }
  fmt::print("{} mutations of {}, {:.1f} % defined\n", made, kChains * kChainLength,
             100.0 * defined / made);
  for (const auto& [reason, count] : reasons) fmt::print("  {:4} {}\n", count, reason);
  EXPECT_GE(100 * made, 95 * kChains * kChainLength);
  EXPECT_GE(100 * defined, 90 * made);
}

TEST(Cross, GivesValidCasesNineInTenDefined) {
  int made = 0;
  int defined = 0;
  constexpr int kPairs = 400;
  for (std::uint64_t seed = 0; seed < kPairs; ++seed) {
    const Case first = base_case(2 * seed);
    const Case second = base_case(2 * seed + 1);
    ChoiceStream choices(seed);
    const auto crossed = cross(first, second, choices, is_valid);
    if (!crossed) continue;
    expect_sound(*crossed, "cross", seed);
    ++made;
    defined += oracle::run(*crossed, {}).defined;
  }
  fmt::print("{} crossings of {}, {:.1f} % defined\n", made, kPairs, 100.0 * defined / made);
  EXPECT_GE(100 * made, 90 * kPairs);
  EXPECT_GE(100 * defined, 90 * made);
}

// Changes that move code about, or add code that nothing depends on, leave the outcome alone: what
// they save, pass and restore is right.
TEST(Mutate, ChangesOfFormAloneLeaveTheOutcomeAlone) {
  for (const std::string_view name :
       {"insert-alu", "insert-branch", "insert-frame-access", "swap", "grow-stack",
        "split-function", "inline-function", "add-function"}) {
    const auto kind = std::ranges::find(mutations(), name, &MutationKind::name);
    ASSERT_NE(kind, mutations().end()) << name;
    int compared = 0;
    for (std::uint64_t seed = 0; seed < kSeedsPerKind; ++seed) {
      const Case value = base_case(seed);
      const Execution before = oracle::run(value, {});
      // A tail call in an inlined function leaves the caller; a helper more counts as one.
      if (before.tail_calls != 0 || calls_helpers(before)) continue;
      ChoiceStream choices(seed);
      const auto changed = mutate(value, choices, is_valid, {.kind = &*kind, .attempts = 4});
      if (!changed) continue;
      const Execution after = oracle::run(*changed, {});
      if (calls_helpers(after)) continue;
      ++compared;
      EXPECT_EQ(after.result, before.result) << name << " seed " << seed << "\n"
                                             << print_case(value) << print_case(*changed);
      EXPECT_EQ(after.regions, before.regions) << name << " seed " << seed;
      EXPECT_EQ(after.context, before.context) << name << " seed " << seed;
    }
    EXPECT_GE(compared, 20) << name;
  }
}

// No mutation knows of callbacks that tail-call, and most leave them as they are.
TEST(Mutate, KeepsTailCallsInCallbacks) {
  const Shape* shape = find_shape("tail-in-callback");
  ASSERT_NE(shape, nullptr);
  int before = 0;
  int changed_cases = 0;
  int after = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Case value = generate(seed, shape);
    if (!tail_calls_in_callback(value, oracle::run(value, {}))) continue;
    ++before;
    ChoiceStream choices(seed);
    const auto changed = mutate(value, choices, is_valid);
    if (!changed || *changed == value) continue;
    ++changed_cases;
    const Execution execution = oracle::run(*changed, {});
    after += execution.defined && tail_calls_in_callback(*changed, execution);
  }
  fmt::print("{} mutations of {} cases, {} still tail-call in a callback\n", changed_cases, before,
             after);
  EXPECT_GE(before, 150) << "the shape makes none any more";
  EXPECT_GE(10 * changed_cases, 9 * before);
  EXPECT_GE(4 * after, 3 * changed_cases);
}

// Summed over the case.
int instructions_of(const Case& value) {
  std::size_t sum = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) sum += function.insns.size();
  }
  return static_cast<int>(sum);
}
int stack_of(const Case& value) {
  int sum = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) sum += function.stack_depth;
  }
  return sum;
}

struct Shrinking {
  int changed = 0;
  int other_outcome = 0;
};

// How often the kind makes a case smaller by this measure, which it always must.
Shrinking shrink(std::string_view name, int (*measure)(const Case&)) {
  const auto kind = std::ranges::find(mutations(), name, &MutationKind::name);
  Shrinking result;
  if (kind == mutations().end()) return result;
  for (std::uint64_t seed = 0; seed < kSeedsPerKind; ++seed) {
    const Case value = base_case(seed);
    ChoiceStream choices(seed);
    const auto changed = mutate(value, choices, is_valid, {.kind = &*kind});
    if (!changed) continue;
    ++result.changed;
    EXPECT_LT(measure(*changed), measure(value)) << name << " seed " << seed;
    const Execution before = oracle::run(value, {});
    const Execution after = oracle::run(*changed, {});
    result.other_outcome +=
        after.defined && (after.result != before.result || after.regions != before.regions);
  }
  return result;
}

TEST(Mutate, ShrinksStacksAndLeavesOutWhatCounts) {
  EXPECT_GE(shrink("shrink-stack", stack_of).changed, 100);
  const Shrinking dead = shrink("remove-dead", instructions_of);
  const Shrinking live = shrink("remove-live", instructions_of);
  EXPECT_GE(live.changed, 100);
  EXPECT_GE(4 * live.other_outcome, live.changed) << "what was left out was dead";
  EXPECT_GT(live.other_outcome, dead.other_outcome);
}

TEST(Mutate, TheSameChoicesGiveTheSameCase) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Case value = base_case(seed);
    ChoiceStream one(seed);
    ChoiceStream two(seed);
    EXPECT_EQ(mutate(value, one, is_valid), mutate(value, two, is_valid));
  }
}

TEST(Mutate, GivesNothingWhenTheCheckRefusesEverything) {
  ChoiceStream choices(std::uint64_t{1});
  const Case value = base_case(1);
  EXPECT_EQ(mutate(value, choices, [](const Case&) { return false; }), std::nullopt);
  EXPECT_EQ(cross(value, value, choices, [](const Case&) { return false; }), std::nullopt);
}

}  // namespace
}  // namespace plumb::gen
