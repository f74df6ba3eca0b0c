// SPDX-License-Identifier: GPL-2.0-or-later
//
// The variants of the kernel JITs on generated cases. All of them are open at the same time.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kSeed = 41;

// x86-64 under the mitigations and hardening of 6.12, which is known to conform.
constexpr const char* kConforming = "linux-6.12-x86_64:*";

TEST(LinuxVariants, AGlobTakesThemAll) {
  const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, "linux-6.12-*");
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  std::set<std::string> names;
  for (const auto& jit : *jits) names.insert(jit->info().name);
  for (const char* name :
       {"linux-6.12-x86_64", "linux-6.12-x86_64:ibt", "linux-6.12-x86_64:retpoline",
        "linux-6.12-x86_64:rethunk", "linux-6.12-x86_64:call-depth", "linux-6.12-x86_64:its",
        "linux-6.12-x86_64:kcfi", "linux-6.12-x86_64:fineibt", "linux-6.12-x86_64:call-padding",
        "linux-6.12-x86_64:blinding", "linux-6.12-arm64:bti", "linux-6.12-arm64:pac",
        "linux-6.12-arm64:bti+pac", "linux-6.12-arm64:lse", "linux-6.12-riscv64:rvc",
        "linux-6.12-riscv64:kcfi"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(LinuxVariants, TakeAThousandCases) {
  const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, "linux-*:*");
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  ASSERT_GE(jits->size(), 25u);
  for (std::uint64_t n = 0; n < 1000; ++n) {
    const Case value = gen::generate(nth_seed(kSeed, n));
    for (const auto& jit : *jits) {
      const jit::LoadOutcome outcome = jit->load(value);
      ASSERT_TRUE(outcome.status == jit::LoadOutcome::Status::kLoaded ||
                  outcome.status == jit::LoadOutcome::Status::kNotApplicable)
          << jit->info().name << ", case " << n << ": " << outcome.reason;
    }
  }
}

TEST(LinuxVariants, ConformWhereThePlainJitDoes) {
  const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, kConforming);
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  ASSERT_EQ(jits->size(), 9u);
  Judge judge;
  for (std::uint64_t n = 0; n < 300; ++n) {
    const Case value = gen::generate(nth_seed(kSeed, n));
    for (const auto& jit : *jits) {
      const Depth depth = n % 8 == 0 ? Depth::kFull : Depth::kFast;
      const Judgement judgement = judge.judge(value, *jit, depth).judgement;
      ASSERT_FALSE(is_finding(judgement))
          << jit->info().name << ", case " << n << ": " << judgement.signature.str();
    }
  }
}

}  // namespace
}  // namespace plumb::harness
