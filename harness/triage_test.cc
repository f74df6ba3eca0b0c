// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/triage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "harness/artefacts.h"
#include "harness/minimize.h"
#include "harness/testing_jit.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using Status = jit::LoadOutcome::Status;

class TriageOf : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }
  void put(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
  }
  [[nodiscard]] std::vector<std::string> paths() const { return {directory_.string()}; }

  fs::path directory_ = fs::temp_directory_path() / ("plumb-triage-" + std::to_string(getpid()));
};

const std::string kHead = ".case 1\n.program p\n.function main\n";
const std::string kPlain = kHead + " r0 = 7\n exit\n";
const std::string kDivides = kHead + " r0 = 7\n r0 /= 3\n exit\n";
const std::string kDividesMore = kHead + " r0 = 7\n r0 += 1\n r0 /= 3\n exit\n";
const std::string kMultiplies = kHead + " r0 = 7\n r0 *= 3\n exit\n";

std::vector<std::unique_ptr<jit::Jit>> jit_that(FakeJit::Behaviour behaviour) {
  std::vector<std::unique_ptr<jit::Jit>> jits;
  jits.push_back(std::make_unique<FakeJit>(std::move(behaviour)));
  return jits;
}

// Refuses divisions, and dies of multiplications; all else is not for it.
Status picky(const Case& value) {
  if (contains(value, Operation::kDiv)) return Status::kRefused;
  return contains(value, Operation::kMul) ? Status::kDied : Status::kNotApplicable;
}

TEST_F(TriageOf, AreGroupedBySignatureWithTheSmallestOfEach) {
  put("a", kDividesMore);
  put("b", kDivides);
  put("c", kMultiplies);
  put("d", kPlain);
  const auto artefacts = read_artefacts(paths());
  const std::vector<NamedCase>& cases = artefacts->cases;
  const auto jits = jit_that(picky);
  const Triage result = triage(cases, jits, {});
  ASSERT_EQ(result.rows.size(), 2u);
  EXPECT_EQ(result.rows[0].signature.str(), "jit-accepts.fake.x86_64.-");
  EXPECT_EQ(result.rows[0].count, 2u);
  EXPECT_TRUE(cases[result.rows[0].smallest].path.ends_with("/b"));
  EXPECT_EQ(result.rows[1].signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_EQ(result.silent, std::vector<std::size_t>{3});
  EXPECT_EQ(result.harmless, (std::vector<std::size_t>{0, 1, 3}));
  EXPECT_EQ(result.status(), 1);
  const Case small = minimised_case(result.rows[0], cases, jits);
  EXPECT_TRUE(contains(small, Operation::kDiv));
  EXPECT_LE(case_size(small), case_size(cases[1].value));
}

// What holds the JIT failed: nothing is said about the JIT, nor that the artefact is harmless.
TEST_F(TriageOf, APluginThatFailsIsNoFinding) {
  put("a", kDivides);
  const auto artefacts = read_artefacts(paths());
  const auto jits = jit_that([](const Case&) { return Status::kBroken; });
  const Triage result = triage(artefacts->cases, jits, {});
  EXPECT_TRUE(result.rows.empty());
  EXPECT_TRUE(result.silent.empty());
  EXPECT_TRUE(result.harmless.empty());
  EXPECT_EQ(result.harness_failures.size(), 1u);
  EXPECT_EQ(result.status(), 3);
}

TEST_F(TriageOf, WhatWaiversCoverIsNoFinding) {
  put("a", kDivides);
  const auto artefacts = read_artefacts(paths());
  const std::vector<NamedCase>& cases = artefacts->cases;
  const auto jits = jit_that(picky);
  CheckOptions options;
  options.waivers = {
      {.name = "known",
       .waiver = {.signature = "jit-accepts.fake.x86_64.-", .jits = "*", .reason = "r"}}};
  const Triage result = triage(cases, jits, options);
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].known, "known");
  EXPECT_EQ(result.status(), 0);
}

TEST_F(TriageOf, WhatKillsItsProcessIsASignatureLikeAnyOther) {
  put("a", kDivides);
  put("b", kDividesMore);
  const auto artefacts = read_artefacts(paths());
  const std::vector<NamedCase>& cases = artefacts->cases;
  const auto jits = jit_that([](const Case& value) {
    if (contains(value, Operation::kDiv)) kill(getpid(), SIGKILL);
    return Status::kNotApplicable;
  });
  const Triage result = triage(cases, jits, {});
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_EQ(result.rows[0].count, 2u);
  // It is made smaller in a process for each try.
  const Case small = minimised_case(result.rows[0], cases, jits);
  EXPECT_LE(case_size(small), case_size(cases[0].value));
  EXPECT_NE(small.programs, cases[0].value.programs);
  EXPECT_TRUE(contains(small, Operation::kDiv));
}

TEST_F(TriageOf, WhatHangsIsASignatureLikeAnyOther) {
  put("a", kDivides);
  put("b", kDividesMore);
  const auto artefacts = read_artefacts(paths());
  const std::vector<NamedCase>& cases = artefacts->cases;
  const auto jits = jit_that([](const Case& value) {
    while (contains(value, Operation::kDiv)) pause();
    return Status::kNotApplicable;
  });
  CheckOptions options;
  options.seconds_per_case = 0.3;
  const Triage result = triage(cases, jits, options);
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_EQ(result.rows[0].message, "does not end");
  EXPECT_EQ(result.rows[0].count, 2u);
  EXPECT_TRUE(result.harness_failures.empty());
}

}  // namespace
}  // namespace plumb::harness
