// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a JIT says about itself may be nothing, or anything: the explanation of a case has its
// parts.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "harness/testing_stranger.h"
#include "jit_under_test/reference/reference.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

constexpr std::uint64_t kCases = 150;

using Wrap = std::unique_ptr<jit::Jit> (*)(std::unique_ptr<jit::Jit>, std::uint64_t n);

void explain_all(Wrap wrap) {
  const auto layouts = jit::reference::layout_table();
  harness::Judge judge;
  int explained = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    SCOPED_TRACE(n);
    auto real = jit::reference::open(fmt::format("reference:{}", layouts[n % layouts.size()].name));
    ASSERT_TRUE(real.has_value());
    const auto jit = wrap(*std::move(real), n);
    const Case value = gen::generate(nth_seed(8, n));
    const harness::Trial trial = judge.examine(value, *jit, Depth::kFull);
    if (trial.image == nullptr) continue;
    ++explained;
    const std::string text = explain_text(
        {&value, &trial.image->image(), &trial.execution, &trial.run, &trial.judgement});
    EXPECT_THAT(text, testing::HasSubstr("Trace"));
    EXPECT_THAT(text, testing::HasSubstr("Code of "));
  }
  EXPECT_GT(explained, 0);
}

TEST(ExplainStranger, OneThatSaysNothing) {
  explain_all([](std::unique_ptr<jit::Jit> real, std::uint64_t) {
    return harness::stranger(std::move(real), harness::all_words());
  });
}

TEST(ExplainStranger, OneThatSaysAnything) {
  explain_all([](std::unique_ptr<jit::Jit> real, std::uint64_t n) {
    return harness::talker(std::move(real), nth_seed(9, n));
  });
}

}  // namespace
}  // namespace plumb::reports
