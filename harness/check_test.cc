// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/case_text.h"
#include "core/check.h"
#include "harness/corpus.h"
#include "harness/testing_jit.h"
#include "harness/waivers.h"

namespace plumb::harness {
namespace {

using Status = jit::LoadOutcome::Status;

NamedCase named(const std::string& tail, const std::string& body = " r0 = 7\n exit\n") {
  auto value = parse_case(".case 1\n.program p\n.function main\n" + body + tail);
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return {.name = "it", .path = "corpus/it.bpf", .value = *std::move(value)};
}

std::vector<std::unique_ptr<jit::Jit>> jits_that(FakeJit::Behaviour behaviour) {
  std::vector<std::unique_ptr<jit::Jit>> jits;
  jits.push_back(std::make_unique<FakeJit>(std::move(behaviour)));
  return jits;
}

CheckReport check_one(const NamedCase& item, FakeJit::Behaviour behaviour,
                      CheckOptions options = {}) {
  const auto jits = jits_that(std::move(behaviour));
  return check_cases(std::span(&item, 1), jits, options);
}

Status refuse(const Case&) { return Status::kRefused; }

TEST(Check, AFindingWithoutAWaiverIsAFinding) {
  const CheckReport report = check_one(named(""), refuse);
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].judgement.signature.str(), "jit-accepts.fake.x86_64.-");
  EXPECT_EQ(report.rows[0].known, "");
  EXPECT_EQ(report.status(), 1);
}

// What is wrong is not the JIT: nobody judged it.
TEST(Check, APluginThatFailsIsNoFinding) {
  const CheckReport report = check_one(named(""), [](const Case&) { return Status::kBroken; });
  EXPECT_EQ(report.rows[0].judgement.verdict, Verdict::kPluginFailed);
  EXPECT_FALSE(is_finding(report.rows[0].judgement));
  ASSERT_EQ(report.harness_failures.size(), 1u);
  EXPECT_TRUE(report.harness_failures[0].ends_with("the plugin failed: as it was told"));
  EXPECT_EQ(report.status(), 3);
}

TEST(Check, AWaiverOfTheCaseCoversItsFinding) {
  const CheckReport report =
      check_one(named(".waive jit-accepts.fake.x86_64.- fake-* reason\n"), refuse);
  EXPECT_EQ(report.rows[0].known, "it");
  EXPECT_TRUE(report.stale.empty());
  EXPECT_EQ(report.status(), 0);
}

TEST(Check, AKnownWaiverCoversFindingsOfOtherCases) {
  CheckOptions options;
  options.waivers = {
      {.name = "known",
       .waiver = {.signature = "jit-accepts.fake.x86_64.-", .jits = "*", .reason = "r"}}};
  const CheckReport report = check_one(named(""), refuse, options);
  EXPECT_EQ(report.rows[0].known, "known");
  EXPECT_EQ(report.status(), 0);
}

TEST(Check, AWaiverThatCoversNothingIsAnError) {
  const CheckReport report =
      check_one(named(".waive same-result.fake.x86_64.main fake-* fixed long ago\n"), refuse);
  ASSERT_EQ(report.stale.size(), 1u);
  EXPECT_EQ(report.stale[0].waiver.reason, "fixed long ago");
  EXPECT_EQ(report.status(), 1);
}

TEST(Check, AWaiverForAJitThatDidNotRunIsNotStale) {
  EXPECT_TRUE(check_one(named(".waive a.b.c.d other-* r\n"), refuse).stale.empty());
  const CheckReport report = check_one(named(".waive a.b.c.d fake-* r\n"),
                                       [](const Case&) { return Status::kNotApplicable; });
  EXPECT_TRUE(report.stale.empty());
  EXPECT_EQ(report.status(), 0);
}

TEST(Check, HoldsTheOracleToTheExpectation) {
  const struct {
    const char* tail;
    const char* body;
    const char* message;
  } rows[] = {
      {".expect return 7\n", " r0 = 7\n exit\n", ""},
      {".expect return 8\n", " r0 = 7\n exit\n", "expected to return 8, the oracle returns 7"},
      {".expect undefined\n", " r0 = r5\n exit\n", ""},
      {".expect undefined\n", " r0 = 7\n exit\n", "expected to be undefined, and is defined"},
      {"", " r0 = 7\n exit\n", ""},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(contradiction(named(row.tail, row.body).value), row.message) << row.tail;
  }
  EXPECT_NE(contradiction(named("", " r0 = r5\n exit\n").value), "");
}

TEST(Check, AJitThatDiesIsAFinding) {
  const CheckReport report = check_one(named(""), [](const Case&) {
    raise(SIGKILL);
    return Status::kLoaded;
  });
  EXPECT_EQ(report.rows[0].judgement.verdict, Verdict::kCrash);
  EXPECT_EQ(report.rows[0].judgement.signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_TRUE(report.harness_failures.empty());
  EXPECT_EQ(report.status(), 1);
}

// In load, before any of its code runs; the cases behind it are judged.
TEST(Check, AJitThatHangsIsAFinding) {
  const std::vector<NamedCase> cases{named("", " r0 = 8\n exit\n"), named("")};
  const auto jits = jits_that([first = cases[0].value](const Case& value) {
    while (value == first) pause();
    return Status::kRefused;
  });
  CheckOptions options;
  options.seconds_per_case = 0.3;
  const CheckReport report = check_cases(cases, jits, options);
  EXPECT_EQ(report.rows[0].judgement.signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_EQ(report.rows[0].judgement.reason, "does not end");
  EXPECT_EQ(report.rows[1].judgement.verdict, Verdict::kRefused);
  EXPECT_TRUE(report.harness_failures.empty());
  EXPECT_EQ(report.status(), 1);
}

TEST(Check, AJitThatDiesWhileItUnloadsIsAFinding) {
  auto jit = std::make_unique<FakeJit>([](const Case&) { return Status::kLoaded; });
  jit->on_unload = [] { kill(getpid(), SIGKILL); };
  std::vector<std::unique_ptr<jit::Jit>> jits;
  jits.push_back(std::move(jit));
  const NamedCase item = named("");
  const CheckReport report = check_cases(std::span(&item, 1), jits, {});
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].judgement.signature.str(), "jit-survives.fake.x86_64.-");
  EXPECT_TRUE(report.harness_failures.empty());
}

TEST(Check, OurOwnDeathIsNotTheJits) {
  const CheckReport report = check_one(named(""), [](const Case&) {
    PLUMB_CHECK(false);
    return Status::kLoaded;
  });
  ASSERT_EQ(report.harness_failures.size(), 1u);
  EXPECT_TRUE(report.harness_failures[0].ends_with("failed a check of its own"));
  EXPECT_EQ(report.rows[0].judgement.verdict, Verdict::kNotJudged);
  EXPECT_EQ(report.status(), 3);
}

TEST(Corpus, ReadsDirectoriesSortedAndReportsWhatIsBroken) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::temp_directory_path() / fmt::format("plumb-{}", getpid());
  fs::create_directories(directory / "b");
  const std::string text = ".case 1\n.program p\n.function main\n r0 = 0\n exit\n";
  ASSERT_TRUE(write_file((directory / "b/two.bpf").string(), text).has_value());
  ASSERT_TRUE(write_file((directory / "one.bpf").string(), text).has_value());
  ASSERT_TRUE(write_file((directory / "z.bpf").string(), "nonsense").has_value());
  ASSERT_TRUE(write_file((directory / "notes.txt").string(), "x").has_value());
  const std::string paths[] = {directory.string(), (directory / "missing.bpf").string()};
  const auto corpus = read_corpus(paths);
  ASSERT_EQ(corpus.size(), 4u);
  EXPECT_EQ(case_name(corpus[0].path), "two");
  EXPECT_EQ(case_name(corpus[1].path), "one");
  EXPECT_TRUE(corpus[1].value.has_value());
  EXPECT_FALSE(corpus[2].value.has_value());
  EXPECT_FALSE(corpus[3].value.has_value());
  EXPECT_FALSE(write_file((directory / "no/such/file").string(), "x").has_value());
  fs::remove_all(directory);
}

TEST(WriteFiles, AllOrNoneAndWhereLinksLead) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::path(testing::TempDir()) / "plumb_write_files";
  fs::create_directories(directory);
  const auto at = [&](const char* name) { return (directory / name).string(); };
  const auto content = [](const std::string& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  ASSERT_TRUE(write_files({{at("one"), "1"}, {"", "nothing"}, {at("two"), "2"}}).has_value());
  EXPECT_EQ(content(at("two")), "2");
  EXPECT_FALSE(write_files({{at("one"), "changed"}, {at("no/such/file"), "x"}}).has_value());
  EXPECT_EQ(content(at("one")), "1");
  fs::create_symlink("one", at("link"));
  ASSERT_TRUE(write_file(at("link"), "3").has_value());
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(content(at("one")), "3");
  ASSERT_TRUE(write_file("/dev/null", "gone").has_value());
  EXPECT_FALSE(fs::is_regular_file("/dev/null"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 3);
  fs::remove_all(directory);
}

// "linux-6.1-arm64:bti" and a name's part in front of the architecture: "linux-6.1-x-arm64:bti".
TEST(Waivers, OfAKernelLineReachTreesThatAreAddedAsOfThatLine) {
  const auto waivers = read_waivers("corpus/known");
  ASSERT_TRUE(waivers) << waivers.error().str();
  std::size_t pairs = 0;
  for (const std::string line : {"linux-6.1-", "linux-6.12-"}) {
    for (const std::string arch : {"x86_64", "arm64", "riscv64"}) {
      for (const std::string variant : {"", ":kcfi", ":blinding"}) {
        for (const NamedWaiver& named : *waivers) {
          const bool reaches = names_jit(named.waiver, line + arch + variant);
          EXPECT_EQ(names_jit(named.waiver, line + "x-" + arch + variant), reaches)
              << named.name << ": " << named.waiver.jits;
          pairs += reaches ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(pairs, 0u);
}

}  // namespace
}  // namespace plumb::harness
