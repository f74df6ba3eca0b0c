// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/minimize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "core/case_text.h"
#include "core/edit.h"
#include "core/opcode.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/testing_jit.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

bool happens(const Case& value, EventKind kind, std::int32_t target = -1) {
  const Execution execution = oracle::run(value, Contract{});
  return execution.defined && std::ranges::any_of(execution.trace, [&](const Event& event) {
           return event.kind == kind && (target < 0 || event.target == target);
         });
}

struct Property {
  const char* name;
  Predicate holds;
  std::size_t instructions;  // what is enough, without exits
};

// What oracle and generator alone can tell; a real JIT's findings minimise in the same way.
const std::vector<Property>& properties() {
  static const std::vector<Property> rows{
      {"a helper is called", [](const Case& c) { return happens(c, EventKind::kHelperCall); }, 6},
      {"a subprogram is called", [](const Case& c) { return happens(c, EventKind::kCall); }, 2},
      {"a tail call is taken", [](const Case& c) { return happens(c, EventKind::kTailCallTaken); },
       5},
      {"a callback runs", [](const Case& c) { return happens(c, EventKind::kCallback); }, 8},
      {"something is stored and the case is defined",
       [](const Case& c) {
         return contains(c, Operation::kStore) && oracle::run(c, Contract{}).defined;
       },
       3},
  };
  return rows;
}

// Generated cases that have the property.
std::vector<Case> cases_with(const Property& property, std::size_t count) {
  std::vector<Case> cases;
  for (std::uint64_t n = 0; n < 3000 && cases.size() < count; ++n) {
    Case value = gen::generate(nth_seed(7, n));
    if (property.holds(value)) cases.push_back(std::move(value));
  }
  return cases;
}

TEST(Minimize, KeepsThePropertyAndShrinksToLittle) {
  for (const Property& property : properties()) {
    const auto cases = cases_with(property, 4);
    ASSERT_EQ(cases.size(), 4u) << property.name;
    for (const Case& value : cases) {
      const Minimised small = minimize(value, property.holds);
      EXPECT_TRUE(small.complete);
      EXPECT_TRUE(property.holds(small.value)) << property.name;
      EXPECT_LE(case_size(small.value), case_size(value));
      EXPECT_LE(instructions_without_exits(small.value), property.instructions)
          << property.name << "\n"
          << print_case(small.value);
    }
  }
}

TEST(Minimize, ASecondTimeChangesNothing) {
  for (const Property& property : properties()) {
    for (const Case& value : cases_with(property, 2)) {
      const Case once = minimize(value, property.holds).value;
      EXPECT_EQ(minimize(once, property.holds).value, once) << property.name;
    }
  }
}

TEST(Minimize, GivesTheSameCaseEveryTime) {
  const Property& property = properties()[2];
  for (const Case& value : cases_with(property, 2)) {
    EXPECT_EQ(minimize(value, property.holds).value, minimize(value, property.holds).value);
  }
}

TEST(Minimize, ResultsAreCasesThatThePrinterAndTheParserKnow) {
  for (const Property& property : properties()) {
    for (const Case& value : cases_with(property, 2)) {
      const Case small = minimize(value, property.holds).value;
      const auto back = parse_case(print_case(small));
      ASSERT_TRUE(back.has_value()) << back.error().str() << "\n" << print_case(small);
      EXPECT_EQ(*back, small);
    }
  }
}

TEST(Minimize, StopsWhenTheTriesAreSpent) {
  const Property& property = properties()[2];
  const Case value = cases_with(property, 1).at(0);
  std::size_t tries = 0;
  const Minimised small = minimize(value,
                                   [&](const Case& candidate) {
                                     ++tries;
                                     return property.holds(candidate);
                                   },
                                   {.max_attempts = 5});
  EXPECT_EQ(tries, 5u);
  EXPECT_EQ(small.attempts, 5u);
  EXPECT_FALSE(small.complete);
  EXPECT_TRUE(property.holds(small.value));
}

TEST(Minimize, LeavesOutWhatSpeaksOfTheLargerCase) {
  auto value = parse_case(
      ".case 1\n// a note\n.program p\n.function main\n r1 = 2\n r0 = 7\n exit\n"
      ".expect return 7\n.waive a.b.c.d * r\n");
  ASSERT_TRUE(value.has_value()) << value.error().str();
  const Case small =
      minimize(*value, [](const Case& c) { return oracle::run(c, Contract{}).defined; }).value;
  EXPECT_EQ(print_case(small),
            ".case 1\n.program p\n.function main\n        r0 = 0\n        exit\n");
}

// The longest jump of the case, in slots.
std::int64_t longest_jump(const Case& value) {
  std::int64_t longest = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      const std::vector<bool> starts = instruction_starts(function.insns);
      for (std::size_t slot = 0; slot < starts.size(); ++slot) {
        const OpcodeInfo* info = starts[slot] ? decode(function.insns[slot]) : nullptr;
        if (info == nullptr || !is_jump(info->operation)) continue;
        const auto from = static_cast<std::int64_t>(slot);
        longest = std::max(longest, std::abs(jump_target(function.insns[slot], from) - from));
      }
    }
  }
  return longest;
}

// What a large function alone shows is found by few tries, and stays one of a few lines.
TEST(Minimize, BisectsWhatIsRepeated) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const Case value = gen::generate(seed, gen::find_shape("large-functions"));
    const Minimised result =
        minimize(value, [](const Case& c) { return longest_jump(c) >= 20'000; }, {});
    EXPECT_TRUE(result.complete);
    EXPECT_LE(result.attempts, 600u) << seed;
    EXPECT_GE(longest_jump(result.value), 20'000) << seed;
    EXPECT_LE(count_slots(result.value), 20'010u) << seed;
    EXPECT_LE(print_case(result.value).size(), 400u) << print_case(result.value);
  }
}

}  // namespace
}  // namespace plumb::harness
