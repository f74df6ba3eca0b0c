// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/case_text.h"
#include "harness/judge.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/second_opinion.h"

namespace plumb::dpdk {
namespace {

Case with_code(std::string_view code) {
  const Result<Case> value =
      parse_case(".case 1\n.region map 16\n.program p\n.function main\n" + std::string(code) +
                 "\nexit\n.context 07 00 00 00 00 00 00 00\n");
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return value.value_or(Case{});
}

class Dpdk : public testing::Test {
 protected:
  void SetUp() override {
    auto jit = jit::open_plugin(PLUMB_DPDK_PLUGIN);
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    jit_ = *std::move(jit);
    auto interpreter = jit::open_interpreter(PLUMB_DPDK_INTERPRETER);
    ASSERT_TRUE(interpreter.has_value()) << interpreter.error().str();
    interpreters_.push_back(*std::move(interpreter));
    judge_.ask(interpreters_);
  }

  Judgement judge(std::string_view code) {
    return judge_.judge(with_code(code), *jit_, Depth::kFull).judgement;
  }

  std::unique_ptr<jit::Jit> jit_;
  std::vector<std::unique_ptr<jit::Interpreter>> interpreters_;
  harness::Judge judge_;
};

TEST_F(Dpdk, SaysWhatItIs) {
  EXPECT_EQ(jit_->info().name, "dpdk");
  EXPECT_EQ(jit_->info().family, "dpdk");
  EXPECT_TRUE(jit_->info().version.starts_with("22.11")) << jit_->info().version;
  EXPECT_TRUE(jit::speaks_of(interpreters_[0]->info(), "dpdk"));
}

struct Row {
  const char* name;
  const char* code;
};

TEST_F(Dpdk, ConformsAndItsInterpreterAgrees) {
  const Row rows[] = {
      {"arithmetic", "r0 = 7\nr2 = 5\nr0 *= r2\nr0 ^= 3\nw0 -= w2"},
      {"context", "r0 = *(u64 *)(r1 + 0)"},
      {"stack", "*(u64 *)(r10 - 8) = 5\nr6 = 2\nr0 = *(u64 *)(r10 - 8)\nr0 += r6"},
      {"a pointer on the stack",
       "*(u64 *)(r10 - 8) = r1\nr2 = *(u64 *)(r10 - 8)\nr0 = *(u8 *)(r2 + 0)"},
      {"a map value", "r2 = map+8 ll\n*(u64 *)(r2 + 0) = 9\nr0 = *(u64 *)(r2 + 0)"},
      {"atomic add", "r2 = map ll\nr3 = 5\nlock *(u64 *)(r2 + 0) += r3\nr0 = *(u64 *)(r2 + 0)"},
      {"a helper", "r6 = 1\ncall 7\nr0 += r6"},
      // The frame has 8 bytes for R6 and 8 for R10, and the BPF stack 8 more: aligned.
      {"a helper that fills memory",
       "r6 = 1\n*(u64 *)(r10 - 8) = 0\nr1 = r10\nr1 += -8\nr2 = 8\ncall 16\n"
       "r0 = *(u64 *)(r10 - 8)\nr0 += r6"},
      {"a division by zero ends it", "r2 = *(u64 *)(r1 + 0)\nr2 -= 7\nr6 = 3\nr6 /= r2\nr0 = 5"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Judgement judgement = judge(row.code);
    EXPECT_EQ(judgement.verdict, Verdict::kConforms)
        << judgement.reason
        << (judgement.violations.empty() ? "" : judgement.violations[0].message);
    EXPECT_EQ(judgement.opinion.status, SecondOpinion::Status::kAgrees) << judgement.opinion.text;
  }
}

struct Refused {
  const char* code;
  const char* reason;
};

TEST_F(Dpdk, SaysWhatItDoesNotTake) {
  const Refused rows[] = {
      {"r0 = 1\nx: r0 -= 1\nif r0 != 0 goto x", "the JIT lacks backward-jumps"},
      {"r0 = 1\nif w0 == 1 goto x\nx: r0 = 2", "the JIT lacks jump32"},
      {"r0 = 1\nw0 s>>= 1", "the JIT lacks arsh32"},
      {"r2 = map+8 ll\nr0 = *(u64 *)(r2 - 8)", "memory boundary violation"},
      {"*(u8 *)(r10 - 8) = 1\n*(u8 *)(r10 - 7) = 1\nr0 = *(u16 *)(r10 - 8)",
       "undefined value on the stack"},
  };
  for (const Refused& row : rows) {
    SCOPED_TRACE(row.code);
    const Judgement judgement = judge(row.code);
    EXPECT_EQ(judgement.verdict, Verdict::kNotApplicable);
    EXPECT_EQ(judgement.reason, row.reason);
  }
}

// Its own messages go to stderr, if nobody takes them.
TEST_F(Dpdk, PrintsNothing) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  (void)judge("r2 = map+8 ll\nr0 = *(u64 *)(r2 - 8)");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace plumb::dpdk
