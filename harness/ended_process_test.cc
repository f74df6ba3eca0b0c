// SPDX-License-Identifier: GPL-2.0-or-later
//
// A JIT, an interpreter or native code that ends the process in which it is judged is never part of
// a pass: every way to end it, at every place, under everything that judges. (tools/gates/
// ended_process.sh does the same with a plugin and the commands.)
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/case_text.h"
#include "harness/check.h"
#include "harness/fuzz_driver.h"
#include "harness/minimize_isolated.h"
#include "harness/testing_jit.h"
#include "harness/triage.h"

namespace plumb::harness {
namespace {

using Status = jit::LoadOutcome::Status;

struct Way {
  const char* name;
  void (*end)();
};

constexpr Way kWays[] = {
    {"exit(0)", [] { std::exit(0); }},
    {"exit(3)", [] { std::exit(3); }},
    {"_exit(0)", [] { _exit(0); }},
    {"execl(true)", [] { execl("/bin/true", "true", nullptr); }},
    {"_exit(0) in a thread", [] { std::thread([] { _exit(0); }).join(); }},
    {"exit(0), and _exit(0) at exit",
     [] {
       std::ignore = std::atexit([] { _exit(0); });
       std::exit(1);
     }},
};

enum class Where : std::uint8_t { kLoad, kThirdLoad, kRun, kInterpreter, kUnload };

struct PlaceRow {
  Where where;
  const char* name;
  const char* signature;
};

constexpr PlaceRow kPlaces[] = {
    {Where::kLoad, "load", "jit-survives.fake.x86_64.-"},
    {Where::kThirdLoad, "the third load of a process", "jit-survives.fake.x86_64.-"},
    {Where::kRun, "native code", "emulator-survives.fake.x86_64.-"},
    {Where::kInterpreter, "the second interpreter", "second-opinion.fake.x86_64.interpreter"},
    {Where::kUnload, "unload", "jit-survives.fake.x86_64.-"},
};

class EndingMachine final : public machine::Machine {
 public:
  explicit EndingMachine(void (*end)()) : end_(end) {}
  [[nodiscard]] const MachineRun& run(const Case&, const Image&,
                                      const machine::RunOptions&) override {
    if (end_ != nullptr) end_();
    return run_;
  }
  std::uint64_t run_bare(const Case&, const Image&, const machine::RunOptions&) override {
    return 0;
  }

 private:
  void (*end_)();
  MachineRun run_;
};

class EndingInterpreter final : public jit::Interpreter {
 public:
  explicit EndingInterpreter(void (*end)()) : end_(end) {
    info_.jits = {"*"};
    info_.capabilities = kAllCapabilities;
  }
  [[nodiscard]] const jit::InterpreterInfo& info() const override { return info_; }
  [[nodiscard]] jit::Interpretation run(const Case&) override {
    end_();
    return {};
  }

 private:
  void (*end_)();
  jit::InterpreterInfo info_;
};

// What ends its process in this way at this place.
struct Ending {
  Ending(const Way& way, const PlaceRow& place) : where(place.where), end(way.end) {
    auto jit = std::make_unique<FakeJit>([this](const Case&) {
      ++loads;
      if (where == Where::kLoad || (where == Where::kThirdLoad && loads == 3)) end();
      return Status::kLoaded;
    });
    if (where == Where::kUnload) jit->on_unload = end;
    jits.push_back(std::move(jit));
    if (where == Where::kInterpreter) {
      interpreters.push_back(std::make_unique<EndingInterpreter>(end));
    }
  }
  [[nodiscard]] Judge::MachineFactory machines() const {
    return [at = where == Where::kRun ? end : nullptr](Arch) {
      return std::make_unique<EndingMachine>(at);
    };
  }

  Where where;
  void (*end)();
  int loads = 0;  // of this process, and of the one that it was forked from
  std::vector<std::unique_ptr<jit::Jit>> jits;
  std::vector<std::unique_ptr<jit::Interpreter>> interpreters;
};

Case returning(int value) {
  return *parse_case(".case 1\n.program p\n.function main\n r0 = " + std::to_string(value) +
                     "\n exit\n");
}

std::vector<NamedCase> four_cases() {
  std::vector<NamedCase> cases;
  for (int i = 0; i < 4; ++i) {
    cases.push_back({.name = "it", .path = "it.bpf", .value = returning(i)});
  }
  return cases;
}

// By way and by place.
class EndedProcess : public testing::TestWithParam<std::tuple<int, int>> {
 protected:
  [[nodiscard]] static const Way& way() {
    return kWays[static_cast<std::size_t>(std::get<0>(GetParam()))];
  }
  [[nodiscard]] static const PlaceRow& place() {
    return kPlaces[static_cast<std::size_t>(std::get<1>(GetParam()))];
  }
  // Of the cases that a process judges one after the other, which one it ends at.
  [[nodiscard]] static bool is_fatal(std::size_t nth) {
    return place().where != Where::kThirdLoad || nth == 2;
  }
  void SetUp() override { SCOPED_TRACE(std::string(way().name) + " in " + place().name); }
  [[nodiscard]] CheckOptions check_options() const {
    CheckOptions options;
    options.make_machine = ending_.machines();
    options.interpreters = ending_.interpreters;
    return options;
  }

  Ending ending_{way(), place()};
};

TEST_P(EndedProcess, IsAFindingOfCheck) {
  const auto cases = four_cases();
  const CheckReport report = check_cases(cases, ending_.jits, check_options());
  ASSERT_EQ(report.rows.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Judgement& judgement = report.rows[i].judgement;
    EXPECT_NE(judgement.verdict, Verdict::kNotJudged);
    if (!is_fatal(i)) continue;
    EXPECT_EQ(judgement.verdict, Verdict::kCrash) << verdict_name(judgement.verdict);
    EXPECT_EQ(judgement.signature.str(), place().signature);
  }
  EXPECT_TRUE(report.harness_failures.empty());
  EXPECT_EQ(report.status(), 1);
}

TEST_P(EndedProcess, IsAFindingOfTriage) {
  const auto cases = four_cases();
  const Triage triaged = triage(cases, ending_.jits, check_options());
  EXPECT_TRUE(std::ranges::any_of(
      triaged.rows, [](const TriageRow& row) { return row.signature.str() == place().signature; }));
  EXPECT_TRUE(triaged.silent.empty());
  EXPECT_EQ(triaged.status(), 1);
}

TEST_P(EndedProcess, IsAFindingOfFuzzing) {
  FuzzOptions options;
  options.seed = 5;
  options.runs = 6;
  options.make_machine = ending_.machines();
  options.interpreters = ending_.interpreters;
  options.minimize_attempts = 3;
  const FuzzReport report = fuzz(ending_.jits, options);
  const JitFuzzReport& jit = report.jits.at(0);
  const auto finding = std::ranges::find(jit.findings, std::string(place().signature),
                                         [](const auto& f) { return f.signature.str(); });
  ASSERT_NE(finding, jit.findings.end());
  EXPECT_EQ(finding->verdict, Verdict::kCrash);
  EXPECT_EQ(finding->count, place().where == Where::kThirdLoad ? 2u : 6u);
  EXPECT_EQ(jit.funnel.counts.generated, 6u);
  EXPECT_TRUE(report.harness_failures.empty());
  EXPECT_EQ(report.status(), 1);
}

// As a crash each try has a process of its own; as anything else one process makes all of them, and
// when that one ends, it has not minimised.
TEST_P(EndedProcess, IsWhatMinimisingKeeps) {
  IsolatedMinimizeOptions options;
  options.make_machine = ending_.machines();
  options.interpreters = ending_.interpreters;
  const Signature crash =
      death_judgement(ending_.jits[0]->info(),
                      place().where == Where::kRun           ? Activity::kRunning
                      : place().where == Where::kInterpreter ? Activity::kAsking
                                                             : Activity::kCompiling,
                      "")
          .signature;
  ASSERT_EQ(crash.str(), place().signature);
  const bool alone = place().where != Where::kThirdLoad;
  const auto small =
      minimize_isolated(returning(7), *ending_.jits[0], crash, Verdict::kCrash, options);
  EXPECT_EQ(small.alone, alone);
  EXPECT_EQ(small.minimised, alone);
  if (alone) {
    EXPECT_EQ(small.result.value, returning(0));
  }

  Signature other = crash;
  other.invariant = "same-memory";
  const auto none =
      minimize_isolated(returning(7), *ending_.jits[0], other, Verdict::kViolation, options);
  EXPECT_FALSE(none.minimised && none.result.complete);
  EXPECT_EQ(none.result.value, returning(7));
}

INSTANTIATE_TEST_SUITE_P(All, EndedProcess,
                         testing::Combine(testing::Range(0, static_cast<int>(std::size(kWays))),
                                          testing::Range(0, static_cast<int>(std::size(kPlaces)))));

}  // namespace
}  // namespace plumb::harness
