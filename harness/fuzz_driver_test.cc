// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/fuzz_driver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iterator>
#include <optional>

#include "core/case_text.h"
#include "core/check.h"
#include "core/rng.h"
#include "harness/minimize.h"
#include "harness/testing_jit.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using Status = jit::LoadOutcome::Status;

std::vector<std::unique_ptr<jit::Jit>> jits_that(FakeJit::Behaviour behaviour) {
  std::vector<std::unique_ptr<jit::Jit>> jits;
  jits.push_back(std::make_unique<FakeJit>(std::move(behaviour)));
  return jits;
}

FuzzOptions options_for(std::uint64_t runs) {
  FuzzOptions options;
  options.seed = 5;
  options.runs = runs;
  return options;
}

// Refuses what holds an exchange; nothing else is compiled, so that no machine is needed.
Status refuses_exchanges(const Case& value) {
  return contains(value, Operation::kXchg) ? Status::kRefused : Status::kNotApplicable;
}

TEST(FuzzDriver, FindsMinimisesAndCounts) {
  const auto jits = jits_that(refuses_exchanges);
  const FuzzReport report = fuzz(jits, options_for(3000));
  ASSERT_EQ(report.jits.size(), 1u);
  const JitFuzzReport& jit = report.jits[0];
  EXPECT_EQ(jit.funnel.counts.generated, 3000u);
  EXPECT_EQ(jit.funnel.counts.compared, 0u);
  ASSERT_EQ(jit.findings.size(), 1u);
  const FuzzFinding& finding = jit.findings[0];
  EXPECT_EQ(finding.signature.str(), "jit-accepts.fake.x86_64.-");
  EXPECT_TRUE(finding.minimised);
  EXPECT_TRUE(contains(finding.value, Operation::kXchg));
  EXPECT_LE(instructions_without_exits(finding.value), 5u) << print_case(finding.value);
  EXPECT_GT(finding.count, 1u);
  EXPECT_TRUE(contains(gen::generate(finding.case_seed), Operation::kXchg));
  EXPECT_EQ(finding.case_seed, nth_seed(5, finding.cases_until_found - 1));
  EXPECT_EQ(report.status(), 1);
  EXPECT_FALSE(jit.zero_stages.empty());
}

// Once, not for each case; and no finding against the JIT.
TEST(FuzzDriver, APluginThatFailsIsToldOnce) {
  const auto jits = jits_that([](const Case&) { return Status::kBroken; });
  for (const unsigned jobs : {1u, 2u}) {
    FuzzOptions options = options_for(200);
    options.jobs = jobs;
    const FuzzReport report = fuzz(jits, options);
    EXPECT_TRUE(report.jits[0].findings.empty());
    EXPECT_EQ(report.jits[0].funnel.counts.compiled, 0u);
    ASSERT_EQ(report.harness_failures.size(), 1u);
    EXPECT_EQ(report.harness_failures[0],
              fmt::format("fake-1: the plugin failed: as it was told (case 0, {} in all)",
                          report.jits[0].funnel.counts.applicable));
    EXPECT_EQ(report.status(), 3);
  }
}

TEST(FuzzDriver, TheNumberOfJobsChangesNothing) {
  const auto jits = jits_that(refuses_exchanges);
  FuzzOptions options = options_for(1500);
  const FuzzReport one = fuzz(jits, options);
  options.jobs = 3;
  const FuzzReport three = fuzz(jits, options);
  EXPECT_EQ(one.jits[0].funnel, three.jits[0].funnel);
  ASSERT_EQ(one.jits[0].findings.size(), three.jits[0].findings.size());
  const FuzzFinding& a = one.jits[0].findings.at(0);
  const FuzzFinding& b = three.jits[0].findings.at(0);
  EXPECT_EQ(a.cases_until_found, b.cases_until_found);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.value, b.value);
}

TEST(FuzzDriver, ACaseThatKillsItsProcessIsAFindingAndTheRunGoesOn) {
  const auto jits = jits_that([](const Case& value) {
    if (contains(value, Operation::kXchg)) raise(SIGKILL);
    return Status::kNotApplicable;
  });
  const FuzzReport report = fuzz(jits, options_for(300));
  const JitFuzzReport& jit = report.jits[0];
  EXPECT_EQ(jit.funnel.counts.generated, 300u);
  ASSERT_EQ(jit.findings.size(), 1u);
  EXPECT_EQ(jit.findings[0].signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_EQ(jit.findings[0].verdict, Verdict::kCrash);
  EXPECT_TRUE(jit.findings[0].minimised);
  EXPECT_TRUE(contains(jit.findings[0].value, Operation::kXchg));
  EXPECT_TRUE(report.harness_failures.empty());
}

// Between two JITs that survive: one that dies of its cases, and one that hangs in few.
std::vector<std::unique_ptr<jit::Jit>> jits_of_which_some_die() {
  auto jits = jits_that(refuses_exchanges);
  jits.push_back(std::make_unique<FakeJit>(
      [](const Case& value) {
        if (contains(value, Operation::kXchg)) raise(SIGKILL);
        return Status::kNotApplicable;
      },
      "dying"));
  jits.push_back(std::make_unique<FakeJit>(
      [](const Case& value) {
        while (contains(value, Operation::kCmpxchg) && contains(value, Operation::kXchg)) pause();
        return Status::kNotApplicable;
      },
      "hanging"));
  jits.push_back(std::make_unique<FakeJit>(refuses_exchanges, "behind"));
  return jits;
}

TEST(FuzzDriver, AJitThatDiesTakesNoCaseFromTheOthers) {
  const auto jits = jits_of_which_some_die();
  FuzzOptions options = options_for(100);
  options.seconds_per_case = 0.3;
  options.minimize_attempts = 0;
  std::vector<FuzzReport> reports;
  for (const unsigned jobs : {1u, 3u}) {
    options.jobs = jobs;
    reports.push_back(fuzz(jits, options));
  }
  for (const FuzzReport& report : reports) {
    EXPECT_TRUE(report.harness_failures.empty());
    for (std::size_t i = 0; i < jits.size(); ++i) {
      const JitFuzzReport& jit = report.jits[i];
      EXPECT_EQ(jit.funnel, reports[0].jits[i].funnel) << jit.name;
      EXPECT_EQ(jit.funnel.counts.generated, 100u) << jit.name;
      ASSERT_EQ(jit.findings.size(), 1u) << jit.name;
      EXPECT_EQ(jit.findings[0].count, reports[0].jits[i].findings[0].count) << jit.name;
      EXPECT_EQ(jit.findings[0].cases_until_found,
                reports[0].jits[i].findings[0].cases_until_found);
      if (jit.name == "hanging") continue;
      EXPECT_EQ(jit.findings[0].count, report.jits[0].findings[0].count) << jit.name;
    }
  }
}

// Unicorn ends the process on a few encodings.
class DyingMachine final : public machine::Machine {
 public:
  [[nodiscard]] const MachineRun& run(const Case& value, const Image&,
                                      const machine::RunOptions&) override {
    if (contains(value, Operation::kXchg)) raise(SIGABRT);
    return run_;
  }
  std::uint64_t run_bare(const Case&, const Image&, const machine::RunOptions&) override {
    return 0;
  }

 private:
  MachineRun run_;
};

TEST(FuzzDriver, TheEmulatorsDeathIsNotTheJits) {
  const auto jits = jits_that([](const Case& value) {
    return contains(value, Operation::kXchg) ? Status::kLoaded : Status::kNotApplicable;
  });
  FuzzOptions options = options_for(300);
  options.make_machine = [](Arch) { return std::make_unique<DyingMachine>(); };
  const FuzzReport report = fuzz(jits, options);
  ASSERT_EQ(report.jits[0].findings.size(), 1u);
  EXPECT_EQ(report.jits[0].findings[0].signature.str(), "emulator-survives.fake.x86_64.-");
  EXPECT_TRUE(report.jits[0].findings[0].minimised);
  EXPECT_EQ(report.jits[0].funnel.counts.compared, 0u);
}

TEST(FuzzDriver, ACaseThatHangsIsAFinding) {
  const auto jits = jits_that([](const Case& value) {
    while (contains(value, Operation::kXchg)) pause();
    return Status::kNotApplicable;
  });
  FuzzOptions options = options_for(150);
  options.seconds_per_case = 0.2;
  options.minimize_attempts = 3;
  const FuzzReport report = fuzz(jits, options);
  EXPECT_EQ(report.jits[0].funnel.counts.generated, 150u);
  ASSERT_EQ(report.jits[0].findings.size(), 1u);
  EXPECT_EQ(report.jits[0].findings[0].signature.invariant, "jit-survives");
}

TEST(FuzzDriver, OurOwnFailureIsNotAFinding) {
  const auto jits = jits_that([](const Case& value) {
    PLUMB_CHECK(!contains(value, Operation::kXchg));
    return Status::kNotApplicable;
  });
  const FuzzReport report = fuzz(jits, options_for(100));
  EXPECT_TRUE(report.jits[0].findings.empty());
  EXPECT_FALSE(report.harness_failures.empty());
  EXPECT_EQ(report.status(), 3);
}

TEST(FuzzDriver, WaiversMakeFindingsKnown) {
  const auto jits = jits_that(refuses_exchanges);
  FuzzOptions options = options_for(500);
  options.waivers = {
      {.name = "no-exchange",
       .waiver = {.signature = "jit-accepts.fake.x86_64.-", .jits = "fake-*", .reason = "r"}}};
  const FuzzReport report = fuzz(jits, options);
  ASSERT_EQ(report.jits[0].findings.size(), 1u);
  EXPECT_EQ(report.jits[0].findings[0].known, "no-exchange");
  EXPECT_EQ(report.status(), 3) << "nothing was compared: that is no success";
}

TEST(FuzzDriver, WritesEachFindingOnce) {
  const fs::path directory = fs::temp_directory_path() / fmt::format("plumb-fuzz-{}", getpid());
  auto jits = jits_that(refuses_exchanges);
  jits.push_back(std::make_unique<FakeJit>(refuses_exchanges, "fake-2"));
  FuzzOptions options = options_for(300);
  options.out_directory = directory.string();
  const FuzzReport report = fuzz(jits, options);
  EXPECT_TRUE(report.harness_failures.empty());
  const std::string stem = (directory / "jit-accepts.fake.x86_64.-").string();
  EXPECT_EQ(report.jits[0].findings.at(0).path, stem + ".bpf");
  EXPECT_EQ(report.jits[1].findings.at(0).path, stem + ".fake-2.bpf");
  const auto written = read_case(stem + ".bpf");
  ASSERT_TRUE(written.has_value()) << written.error().str();
  Case value = *written;
  EXPECT_FALSE(value.notes.empty());
  value.notes.clear();
  EXPECT_EQ(value, report.jits[0].findings.at(0).value);
  EXPECT_TRUE(fs::exists(stem + ".txt"));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(directory)) files += entry.is_regular_file();
  EXPECT_EQ(files, 4u);
  fs::remove_all(directory);
}

// What is killed from outside has told what it found; what is asked to stop minimises it too.
TEST(FuzzDriver, WritesACaseAtOnceAndStopsInOrderWhenAsked) {
  const fs::path directory = fs::temp_directory_path() / fmt::format("plumb-stop-{}", getpid());
  const auto jits = jits_that(refuses_exchanges);
  FuzzOptions options = options_for(0);
  options.seconds = 30;
  options.out_directory = directory.string();
  const std::string path = (directory / "jit-accepts.fake.x86_64.-.bpf").string();
  std::optional<Case> early;
  options.should_stop = [&] {
    if (const auto written = read_case(path)) early = *written;
    return early.has_value();
  };
  const FuzzReport report = fuzz(jits, options);
  ASSERT_TRUE(early.has_value());
  EXPECT_FALSE(early->notes.empty());
  early->notes.clear();
  const FuzzFinding& finding = report.jits[0].findings.at(0);
  EXPECT_EQ(*early, gen::generate(finding.case_seed));
  EXPECT_TRUE(finding.minimised);
  EXPECT_LT(instructions_without_exits(finding.value), instructions_without_exits(*early));
  const auto late = read_case(path);
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->programs, finding.value.programs);
  EXPECT_EQ(report.status(), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), {}), 2);
  fs::remove_all(directory);
}

TEST(FuzzDriver, ADirectoryThatCannotBeWrittenIsToldOnce) {
  const auto jits = jits_that(refuses_exchanges);
  FuzzOptions options = options_for(300);
  options.minimize_attempts = 0;
  options.out_directory = "/dev/null/findings";
  const FuzzReport report = fuzz(jits, options);
  EXPECT_EQ(report.jits[0].findings.size(), 1u);
  EXPECT_EQ(report.harness_failures.size(), 3u);  // the directory, the case, the report
  EXPECT_EQ(report.status(), 3);
}

TEST(FuzzDriver, ReportsProgress) {
  const auto jits = jits_that(refuses_exchanges);
  FuzzOptions options = options_for(0);
  options.seconds = 0.5;
  std::uint64_t last = 0;
  options.on_progress = [&](const FuzzProgress& progress) {
    EXPECT_GE(progress.generated, last);
    last = progress.generated;
  };
  const FuzzReport report = fuzz(jits, options);
  EXPECT_GT(last, 0u);
  EXPECT_GE(report.seconds, 0.5);
}

}  // namespace
}  // namespace plumb::harness
