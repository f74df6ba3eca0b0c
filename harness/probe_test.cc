// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "harness/testing_jit.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::unique_ptr<jit::Jit> reference(const std::string& layout) {
  auto jit = jit::reference::open("reference:" + layout);
  EXPECT_TRUE(jit.has_value()) << layout;
  return *std::move(jit);
}

TEST(Probe, HoldsForSoundLayouts) {
  const Probe seen = probe(reference("arm64-6.12"), {});
  EXPECT_THAT(seen.complaints(), IsEmpty());
  EXPECT_TRUE(seen.holds());
  EXPECT_GT(seen.compared, kProbeCases / 2);
}

TEST(Probe, NamesAWordOfTheContractThatIsWrong) {
  const auto jit = reference("x86_64-6.12");
  const std::unique_ptr<jit::Jit> wrong = std::make_unique<AmendedJit>(
      *jit, Amendment{.info =
                          [](jit::JitInfo& info) {
                            info.contract.empty_slot_consumes_count = Tristate::kYes;
                          },
                      .image = {}});
  const Probe seen = probe(wrong, {});
  EXPECT_FALSE(seen.holds());
  EXPECT_THAT(seen.complaints(),
              Contains(HasSubstr("contract.empty_slot_consumes_count is yes, and with no")));
}

TEST(Probe, ShowsADefectThatTinyCasesDoNotReach) {
  const Probe seen = probe(reference("x86_64-6.7"), {});  // counts by value
  EXPECT_TRUE(seen.diagnosis.is_healthy());
  EXPECT_FALSE(seen.holds());
  EXPECT_THAT(seen.complaints(), Contains(HasSubstr("tail-call")));
}

TEST(Probe, DoesNotHoldWhereNothingIsJudged) {
  const std::unique_ptr<jit::Jit> nothing =
      std::make_unique<FakeJit>([](const Case&) { return FakeJit::Status::kNotApplicable; });
  const Probe seen = probe(nothing, {});
  EXPECT_FALSE(seen.holds());
  EXPECT_THAT(seen.complaints(), Contains(HasSubstr("could be compared")));
}

}  // namespace
}  // namespace plumb::harness
