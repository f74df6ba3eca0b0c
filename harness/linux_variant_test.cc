// SPDX-License-Identifier: GPL-2.0-or-later
//
// The variants of the kernel JITs on generated cases. All of them are open at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/corpus.h"
#include "harness/judge.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kSeed = 41;

// What conforms without a variant does so with them, but for what corpus/known says.
constexpr const char* kConforming =
    "linux-6.12-x86_64:*,linux-6.12-arm64:*,"
    "linux-*-riscv64:rvc,linux-*-riscv64:far-helpers,linux-6.12-riscv64:arena,linux-6.12-riscv64:"
    "blinding";

TEST(LinuxVariants, AGlobTakesThemAll) {
  const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, "linux-6.12-*");
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  std::set<std::string> names;
  for (const auto& jit : *jits) names.insert(jit->info().name);
  for (const char* name : {"linux-6.12-x86_64",
                           "linux-6.12-x86_64:ibt",
                           "linux-6.12-x86_64:retpoline",
                           "linux-6.12-x86_64:lfence",
                           "linux-6.12-x86_64:rethunk",
                           "linux-6.12-x86_64:call-depth",
                           "linux-6.12-x86_64:its",
                           "linux-6.12-x86_64:kcfi",
                           "linux-6.12-x86_64:fineibt",
                           "linux-6.12-x86_64:call-padding",
                           "linux-6.12-x86_64:bmi2",
                           "linux-6.12-x86_64:blinding",
                           "linux-6.12-x86_64:exceptions",
                           "linux-6.12-x86_64:arena",
                           "linux-6.12-arm64:bti",
                           "linux-6.12-arm64:pac",
                           "linux-6.12-arm64:bti+pac",
                           "linux-6.12-arm64:lse",
                           "linux-6.12-arm64:blinding",
                           "linux-6.12-arm64:exceptions",
                           "linux-6.12-arm64:arena",
                           "linux-6.12-riscv64:rvc",
                           "linux-6.12-riscv64:far-helpers",
                           "linux-6.12-riscv64:kcfi",
                           "linux-6.12-riscv64:arena",
                           "linux-6.12-riscv64:blinding"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(LinuxVariants, TakeWhatIsGenerated) {
  const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, "linux-*:*");
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  ASSERT_GE(jits->size(), 39u);
  for (std::uint64_t n = 0; n < 700; ++n) {
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
  ASSERT_EQ(jits->size(), 13u + 8u + 5u);
  const auto waivers = read_waivers("corpus/known");  // tail calls in callbacks
  ASSERT_TRUE(waivers.has_value());
  Judge judge;
  judge.know(*waivers);
  for (std::uint64_t n = 0; n < 300; ++n) {
    const Case value = gen::generate(nth_seed(kSeed, n));
    for (const auto& jit : *jits) {
      const Depth depth = n % 8 == 0 ? Depth::kFull : Depth::kFast;
      const Judgement judgement = judge.judge(value, *jit, depth).judgement;
      ASSERT_FALSE(is_finding(judgement) && judgement.known.empty())
          << jit->info().name << ", case " << n << ": " << judgement.signature.str();
    }
  }
}

// A JIT with BTI whose instructions of one kind are replaced by nops.
class WithoutPads final : public jit::Jit {
 public:
  WithoutPads(jit::Jit& real, std::uint32_t pad) : real_(real), pad_(pad) {}
  [[nodiscard]] const jit::JitInfo& info() const override { return real_.info(); }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override {
    jit::LoadOutcome outcome = real_.load(value);
    for (const NativeFunction& function : outcome.image->image().functions) {
      const auto code = outcome.image->image().placement.bytes(function.address, function.size);
      for (std::size_t i = 0; i + sizeof(pad_) <= code.size(); i += sizeof(pad_)) {
        if (std::memcmp(&code[i], &pad_, sizeof(pad_)) == 0) {
          std::memcpy(&code[i], &kNop, sizeof(kNop));
        }
      }
    }
    return outcome;
  }

 private:
  static constexpr std::uint32_t kNop = 0xd503201f;

  jit::Jit& real_;
  std::uint32_t pad_;
};

// The seeded defects of x86-64 are in seeded_defect_test.cc.
TEST(LinuxVariants, MissingPadsOfArm64AreSeen) {
  constexpr std::uint32_t kBtiJ = 0xd503249f;
  constexpr std::uint32_t kBtiJc = 0xd50324df;
  constexpr const char* kText = R"(.case 1
.array jmp 1
.slot jmp 0 next
.program entry
.function main
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 1
        exit
.program next
.function main
        r0 = 2
        exit
)";
  const auto value = parse_case(kText);
  ASSERT_TRUE(value.has_value());
  Judge judge;
  for (const char* name : {"linux-6.12-arm64:bti", "linux-6.1-arm64:bti+pac"}) {
    const auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, name);
    ASSERT_TRUE(jits.has_value()) << jits.error().str();
    jit::Jit& real = *jits->front();
    EXPECT_FALSE(is_finding(judge.judge(*value, real, Depth::kFast).judgement)) << name;
    for (const auto& [pad, role] : {std::pair{kBtiJ, "tail-callee"}, std::pair{kBtiJc, "main"}}) {
      WithoutPads jit(real, pad);
      const Signature signature = judge.judge(*value, jit, Depth::kFast).judgement.signature;
      EXPECT_EQ(signature.invariant, "indirect-target-has-landing-pad") << name;
      EXPECT_EQ(signature.role, role) << name;
    }
  }
}

}  // namespace
}  // namespace plumb::harness
