// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/codec.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/coding.h"
#include "invariants/invariants.h"

namespace plumb::harness {
namespace {

// Every member has a value that is not its default, every enumeration its last.
Outcome full_outcome() {
  Outcome outcome{.judgement = {.verdict = Enumerators<Verdict>::last,
                                .signature = {"a", "b", "c", "d"},
                                .violations = {},
                                .known = "a waiver",
                                .reason = std::string("zero \0 and \xff", 12),
                                .opinion = {SecondOpinion::Status::kDisagrees, "text"},
                                .answers = {},
                                .detail = "line 3: helper 7"},
                  .stage = Stage::kCompared};
  for (const invariants::InvariantInfo& row : invariants::invariant_table()) {
    outcome.judgement.violations.push_back({.invariant = row.name,
                                            .role = "main",
                                            .at = {.program = -1, .function = 2, .slot = 70'000},
                                            .event = 3,
                                            .message = "line\nline",
                                            .access = 6,
                                            .activation = 4,
                                            .follows = 5});
    outcome.judgement.answers.push_back({.kind = RowAnswer::Kind::kViolated});
    outcome.judgement.answers.push_back({.kind = RowAnswer::Kind::kNotApplicable,
                                         .reason = Enumerators<NotApplicableReason>::last});
  }
  for (const std::string_view own :
       {kJitAccepts, kJitSurvives, kEmulatorSurvives, kSecondOpinion}) {
    outcome.judgement.violations.emplace_back().invariant = own;
  }
  return outcome;
}

void expect_equal(const Outcome& a, const Outcome& b) {
  EXPECT_EQ(a.stage, b.stage);
  EXPECT_EQ(a.judgement.verdict, b.judgement.verdict);
  EXPECT_EQ(a.judgement.signature, b.judgement.signature);
  EXPECT_EQ(a.judgement.violations, b.judgement.violations);
  EXPECT_EQ(a.judgement.known, b.judgement.known);
  EXPECT_EQ(a.judgement.reason, b.judgement.reason);
  EXPECT_EQ(a.judgement.detail, b.judgement.detail);
  EXPECT_EQ(a.judgement.opinion, b.judgement.opinion);
  EXPECT_EQ(a.judgement.answers, b.judgement.answers);
}

TEST(Codec, WhatChildrenSendComesBackAsItWas) {
  const Outcome outcome = full_outcome();
  const auto back = decode<Outcome>(encode(outcome));
  ASSERT_TRUE(back.has_value());
  expect_equal(*back, outcome);
  // A name that is viewed must outlive the bytes that it came in.
  EXPECT_EQ(back->judgement.violations[0].invariant.data(),
            invariants::invariant_table()[0].name.data());

  const KernelTestOutcome test{.verdict = KernelTestOutcome::Verdict::kHarnessFailed,
                               .reason = "r",
                               .oracle = KernelTestOutcome::Oracle::kUndefined,
                               .undefined_reason = "u",
                               .ran = true};
  EXPECT_EQ(decode<KernelTestOutcome>(encode(test)), test);

  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Minimised small{.value = gen::generate(seed), .attempts = seed << 40, .complete = true};
    const auto same = decode<Minimised>(encode(small));
    ASSERT_TRUE(same.has_value());
    EXPECT_EQ(same->value, small.value);
    EXPECT_EQ(same->attempts, small.attempts);
    EXPECT_EQ(same->complete, small.complete);
  }
}

TEST(Codec, IntegersComeBackAtTheirLimitsAndOthersAreRefused) {
  using Limits = std::numeric_limits<std::int16_t>;
  EXPECT_EQ(decode<std::int16_t>(encode(Limits::min())), Limits::min());
  EXPECT_EQ(decode<std::int16_t>(encode(Limits::max())), Limits::max());
  EXPECT_EQ(decode<std::int16_t>(encode(std::int32_t{Limits::max()} + 1)), std::nullopt);
  EXPECT_EQ(decode<std::uint64_t>(encode(~std::uint64_t{0})), ~std::uint64_t{0});
  EXPECT_EQ(decode<bool>(encode(2)), std::nullopt);
}

TEST(Codec, AJudgementThatNobodyMadeIsNone) {
  std::string bytes = encode(full_outcome());
  bytes[0] = static_cast<char>(Verdict::kNotJudged);  // the first word is the verdict
  EXPECT_FALSE(decode<Outcome>(bytes).has_value());
  bytes[0] = static_cast<char>(Verdict::kConforms);
  EXPECT_TRUE(decode<Outcome>(bytes).has_value());
  EXPECT_DEATH(std::ignore = encode(Outcome{}), "internal error");
  EXPECT_DEATH(std::ignore = encode(KernelTestOutcome{}), "internal error");
}

TEST(Codec, AnInvariantOfAnotherNameIsNone) {
  Outcome outcome = full_outcome();
  outcome.judgement.violations[0].invariant = "no-such-invariant";
  EXPECT_FALSE(decode<Outcome>(encode(outcome)).has_value());
}

TEST(Codec, NoPartOfAValueIsAValue) {
  const std::string bytes = encode(full_outcome());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(decode<Outcome>(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(decode<Outcome>(bytes + "x").has_value());
}

// Whatever damaged bytes are taken for can be sent again, and means the same.
TEST(Codec, DamagedBytesAreRefusedOrAnotherValue) {
  const std::string bytes = encode(full_outcome());
  Rng rng(1);
  int refused = 0;
  constexpr int kTries = 5'000;
  for (int i = 0; i < kTries; ++i) {
    std::string damaged = bytes;
    for (std::uint64_t n = rng.below(3) + 1; n > 0; --n) {
      damaged[rng.below(damaged.size())] = static_cast<char>(rng.next());
    }
    const auto value = decode<Outcome>(damaged);
    refused += !value;
    if (value) {
      ASSERT_EQ(encode(*value), damaged);
    }
  }
  EXPECT_GT(refused, kTries / 4);
}

struct Known {
  int a = 0;
  std::string b;
};
struct Grown {
  int a = 0;
  std::string b;
  bool forgotten = false;
};

}  // namespace
}  // namespace plumb::harness

template <>
struct plumb::Members<plumb::harness::Known> {
  static constexpr std::tuple value{&plumb::harness::Known::a, &plumb::harness::Known::b};
};
template <>
struct plumb::Members<plumb::harness::Grown> {
  static constexpr std::tuple value{&plumb::harness::Grown::a, &plumb::harness::Grown::b};
};

namespace plumb::harness {
namespace {

// What encode() and decode() assert: a member that a list forgets would not be sent.
TEST(Codec, AMemberThatIsNotListedIsAnErrorAtCompileTime) {
  EXPECT_TRUE(codec_detail::lists_all_members<Known>());
  EXPECT_FALSE(codec_detail::lists_all_members<Grown>());
  EXPECT_TRUE(codec_detail::lists_all_members<Judgement>());
  EXPECT_TRUE(codec_detail::lists_all_members<Violation>());
}

}  // namespace
}  // namespace plumb::harness
