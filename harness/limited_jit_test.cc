// SPDX-License-Identifier: GPL-2.0-or-later
//
// JITs that take little: the cases of a fuzz run, and of a fuzzer's mutations, are for them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "core/rng.h"
#include "harness/fuzz_driver.h"
#include "harness/fuzz_input.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/plugin.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace plumb::harness {
namespace {

// One program, one function, forward jumps on 64 bits, atomic add: as small userspace JITs are.
constexpr std::uint64_t kLittle = PLUMB_CAN_ATOMIC_ADD | PLUMB_CAN_DIVMUL;

// A JIT that says it takes less than it does.
class LimitedJit final : public jit::Jit {
 public:
  LimitedJit(std::unique_ptr<jit::Jit> jit, std::uint64_t capabilities, std::string name)
      : jit_(std::move(jit)), info_(jit_->info()) {
    info_.capabilities = capabilities;
    info_.name = std::move(name);
  }
  [[nodiscard]] const jit::JitInfo& info() const override { return info_; }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override { return jit_->load(value); }

 private:
  std::unique_ptr<jit::Jit> jit_;
  jit::JitInfo info_;
};

using Jits = std::vector<std::unique_ptr<jit::Jit>>;

void add_limited(Jits& jits, std::uint64_t capabilities, const std::string& name) {
  auto opened = jit::open_jits("", "reference:x86_64-6.12");
  ASSERT_TRUE(opened.has_value()) << opened.error().str();
  jits.push_back(std::make_unique<LimitedJit>(std::move(opened->front()), capabilities, name));
}

FuzzReport fuzz_for(const Jits& jits, std::uint64_t runs, unsigned jobs = 1) {
  FuzzOptions options;
  options.seed = 9;
  options.runs = runs;
  options.jobs = jobs;
  return fuzz(jits, options);
}

TEST(LimitedJit, GetsCasesThatItTakes) {
  constexpr std::uint64_t kRuns = 3000;
  std::uint64_t before = 0;  // of the cases that a JIT with all capabilities gets
  for (std::uint64_t n = 0; n < kRuns; ++n) {
    const Case value = gen::generate(nth_seed(9, n));
    before += (oracle::required_capabilities(value) & ~kLittle) == 0;
  }
  Jits jits;
  add_limited(jits, kLittle, "limited");
  const FuzzReport report = fuzz_for(jits, kRuns);
  const FunnelCounts& counts = report.jits[0].funnel.counts;
  fmt::print("of {} cases {} are for it, with its capabilities known {} compared\n", kRuns, before,
             counts.compared);
  EXPECT_LT(100 * before, 10 * kRuns);
  EXPECT_EQ(counts.generated, kRuns);
  EXPECT_EQ(counts.applicable, counts.defined);
  EXPECT_GE(100 * counts.compared, 99 * kRuns);
  EXPECT_TRUE(report.jits[0].funnel.not_applicable.empty());
  EXPECT_TRUE(report.jits[0].zero_stages.empty());
  EXPECT_TRUE(report.jits[0].findings.empty());
  EXPECT_EQ(report.status(), 0);
}

TEST(LimitedJit, GetsTheSameCasesWhateverTheJobsAndTheOtherJitsAre) {
  constexpr std::uint64_t kRuns = 200;
  Jits alone;
  add_limited(alone, kLittle, "limited");
  Jits several;
  add_limited(several, kAllCapabilities, "whole");
  add_limited(several, kLittle, "limited");
  add_limited(several, kLittle | PLUMB_CAN_POKE, "limited-too");
  add_limited(several, kLittle | PLUMB_CAN_JUMP_BACK, "loops");
  const Funnel expected = fuzz_for(alone, kRuns).jits[0].funnel;
  const FuzzReport one = fuzz_for(several, kRuns);
  const FuzzReport three = fuzz_for(several, kRuns, 3);
  for (std::size_t i = 0; i < several.size(); ++i) {
    EXPECT_EQ(one.jits[i].funnel, three.jits[i].funnel) << one.jits[i].name;
    EXPECT_EQ(one.jits[i].funnel.counts.generated, kRuns) << one.jits[i].name;
  }
  EXPECT_EQ(one.jits[1].funnel, expected);
  EXPECT_EQ(one.jits[2].funnel, expected) << "the generator does not look at that bit";
  EXPECT_NE(one.jits[0].funnel, expected);
}

TEST(LimitedJit, MutationsKeepToWhatItTakes) {
  Rng rng(4);
  int made = 0;
  int defined = 0;
  constexpr int kTries = 400;
  for (int i = 0; i < kTries; ++i) {
    // Every fourth of these sets has no subprograms and no tail calls.
    const std::uint64_t set = i % 4 == 0 ? kLittle : rng.next();
    const InputLimits limits{.max_size = 1 << 16, .capabilities = set};
    const std::string text = print_case(gen::generate(rng.next(), nullptr, set));
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    const auto changed = mutate_input(bytes, limits, rng.next());
    if (!changed) continue;
    ++made;
    const auto value = parse_case(*changed);
    ASSERT_TRUE(value.has_value());
    ASSERT_EQ(oracle::required_capabilities(*value) & ~set, 0u);
    ASSERT_FALSE(oracle::validate(*value).has_value());
    defined += oracle::run(*value, {}).defined;
  }
  fmt::print("{} of {} inputs changed, {} defined\n", made, kTries, defined);
  EXPECT_GE(100 * made, 95 * kTries);
  EXPECT_GE(100 * defined, 95 * made);
}

// Code of one becomes part of the other: there are no calls to put them together.
TEST(LimitedJit, CasesAreCrossedAllTheSame) {
  const InputLimits limits{.max_size = 1 << 16, .capabilities = kLittle};
  const auto input = [](std::uint64_t seed) {
    const std::string text = print_case(gen::generate(seed, nullptr, kLittle));
    return std::vector<std::uint8_t>(text.begin(), text.end());
  };
  int made = 0;
  constexpr std::uint64_t kTries = 300;
  for (std::uint64_t n = 0; n < kTries; ++n) {
    const auto crossed = cross_inputs(input(n), input(n + kTries), limits, n);
    if (!crossed) continue;
    ++made;
    const auto value = parse_case(*crossed);
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(oracle::required_capabilities(*value) & ~kLittle, 0u);
    EXPECT_TRUE(oracle::run(*value, {}).defined);
    EXPECT_EQ(value->programs.size(), 1u);
    EXPECT_EQ(value->programs[0].functions.size(), 1u);
  }
  fmt::print("{} of {} pairs crossed\n", made, kTries);
  EXPECT_GE(5 * made, kTries);
}

}  // namespace
}  // namespace plumb::harness
