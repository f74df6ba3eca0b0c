// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images whose stack, context and exit lie at other addresses get the verdicts that they get where
// we put them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <utility>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kCases = 200;

// Code refers to these only through registers and memory that the machine sets up; where regions
// and helpers lie stands in the code itself.
Image moved(const Image& from) {
  Image image = from;
  image.placement.stack = {0x7100'0000'0000, 0xc000};
  image.placement.exit = 0x7200'0000'0800;
  image.placement.context = 0x7300'0000'0080;
  return image;
}

class MovedImage final : public jit::LoadedImage {
 public:
  explicit MovedImage(std::unique_ptr<jit::LoadedImage> real)
      : real_(std::move(real)), image_(moved(real_->image())) {}
  [[nodiscard]] const Image& image() const override { return image_; }

 private:
  std::unique_ptr<jit::LoadedImage> real_;
  Image image_;
};

class MovingJit final : public jit::Jit {
 public:
  explicit MovingJit(jit::Jit& real) : real_(real) {}
  [[nodiscard]] const jit::JitInfo& info() const override { return real_.info(); }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override {
    jit::LoadOutcome outcome = real_.load(value);
    if (outcome.image != nullptr) {
      outcome.image = std::make_unique<MovedImage>(std::move(outcome.image));
    }
    return outcome;
  }

 private:
  jit::Jit& real_;
};

// What was found, without the messages: they may name addresses of registers' values.
std::string text(const Judgement& judgement) {
  std::string out = std::string(verdict_name(judgement.verdict)) + " " + judgement.reason;
  for (const Violation& v : judgement.violations) {
    out += "; " + std::string(v.invariant) + " " + v.role + " " + std::to_string(v.event) + " " +
           std::to_string(v.at.slot);
  }
  return out;
}

class MovedImages : public testing::TestWithParam<const char*> {};

TEST_P(MovedImages, AreJudgedAsTheyAreElsewhere) {
  const auto real = jit::reference::open(GetParam());
  ASSERT_TRUE(real.has_value()) << real.error().str();
  MovingJit moving(**real);
  Judge judge;
  std::uint64_t compared = 0;
  std::uint64_t violations = 0;
  for (const Depth depth : {Depth::kFast, Depth::kFull}) {
    for (std::uint64_t n = 0; n < kCases; ++n) {
      const Case value = gen::generate(nth_seed(7, n));
      const Judgement here = judge.judge(value, **real, depth).judgement;
      const Outcome there = judge.judge(value, moving, depth);
      EXPECT_EQ(text(there.judgement), text(here)) << "case " << n;
      if (there.stage == Stage::kCompared) ++compared;
      if (here.verdict == Verdict::kViolation) ++violations;
    }
  }
  EXPECT_GT(compared, kCases);
  const bool has_defect = std::string(GetParam()).find('+') != std::string::npos;
  EXPECT_EQ(violations > 10, has_defect) << violations;
}

// Defects that do not make the program read addresses: what comes of those differs from place to
// place.
INSTANTIATE_TEST_SUITE_P(Reference, MovedImages,
                         testing::Values("reference:x86_64-6.12", "reference:arm64-6.12",
                                         "reference:x86_64-6.12+no-reload",
                                         "reference:arm64-6.12+frame-not-linked"),
                         [](const auto& row) {
                           std::string name = row.param;
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace plumb::harness
