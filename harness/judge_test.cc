// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/judge.h"

#include <gtest/gtest.h>

#include "core/case_text.h"
#include "harness/testing_jit.h"

namespace plumb::harness {
namespace {

using Status = jit::LoadOutcome::Status;

Case parsed(std::string_view text) {
  auto value = parse_case(text);
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return *std::move(value);
}

const char* const kReturnsSeven = ".case 1\n.program entry\n.function main\n r0 = 7\n exit\n";

Judge judge_with(MachineRun run) {
  return Judge([run](Arch) { return std::make_unique<FakeMachine>(run); });
}

TEST(Judge, NamesWhatTheJitSays) {
  const struct {
    Status status;
    Verdict verdict;
    Stage stage;
    const char* signature;
  } rows[] = {
      {Status::kNotApplicable, Verdict::kNotApplicable, Stage::kDefined, "..."},
      {Status::kRefused, Verdict::kRefused, Stage::kApplicable, "jit-accepts.fake.x86_64.-"},
      {Status::kDied, Verdict::kCrash, Stage::kApplicable, "jit-survives.fake.x86_64.-"},
      {Status::kBroken, Verdict::kPluginFailed, Stage::kApplicable, "..."},
  };
  for (const auto& row : rows) {
    FakeJit jit([&](const Case&) { return row.status; });
    const Outcome outcome = Judge().judge(parsed(kReturnsSeven), jit, Depth::kFast);
    EXPECT_EQ(outcome.judgement.verdict, row.verdict);
    EXPECT_EQ(outcome.stage, row.stage);
    EXPECT_EQ(outcome.judgement.signature.str(), row.signature);
    EXPECT_EQ(outcome.judgement.reason, "as it was told");
  }
}

TEST(Judge, NamesWhatAnImageKeeps) {
  for (const StopReason stop : {StopReason::kFault, StopReason::kEmulatorFailed}) {
    MachineRun run;
    run.stop = stop;
    run.activations.resize(1);
    FakeJit jit([](const Case&) { return Status::kLoaded; });
    jit.kept = 2;
    const Judgement judgement =
        judge_with(run).judge(parsed(kReturnsSeven), jit, Depth::kFast).judgement;
    ASSERT_EQ(judgement.violations.size(), 2u) << "what was seen before comes first";
    EXPECT_EQ(judgement.violations[0].invariant, judgement.signature.invariant);
    EXPECT_EQ(judgement.violations[1].invariant, kImageFreed);
  }
  Judgement judgement;
  judgement.verdict = Verdict::kConforms;
  std::unique_ptr<jit::LoadedImage> image = std::make_unique<FakeImage>(nullptr, 1);
  unload(image, FakeJit([](const Case&) { return Status::kLoaded; }).info(), judgement);
  EXPECT_EQ(judgement.verdict, Verdict::kViolation);
  EXPECT_EQ(judgement.signature.str(), "image-freed.fake.x86_64.-");
  EXPECT_EQ(judgement.violations.front().message,
            "after the image was unloaded, 1 more piece of memory is allocated than before it was "
            "loaded");
  EXPECT_TRUE(is_finding(judgement));
}

TEST(Judge, NamesHowTheMachineStopped) {
  const struct {
    StopReason stop;
    Verdict verdict;
    Stage stage;
    const char* signature;
  } rows[] = {
      {StopReason::kEmulatorFailed, Verdict::kCrash, Stage::kCompiled,
       "emulator-survives.fake.x86_64.-"},
      {StopReason::kFault, Verdict::kViolation, Stage::kRan, "stays-in-image.fake.x86_64.main"},
      {StopReason::kInvalidInsn, Verdict::kViolation, Stage::kRan, "native-fault.fake.x86_64.main"},
      {StopReason::kWildJump, Verdict::kViolation, Stage::kRan,
       "lands-on-entry-or-return.fake.x86_64.main"},
      {StopReason::kBudget, Verdict::kViolation, Stage::kRan, "terminates.fake.x86_64.main"},
      {StopReason::kTailCallBound, Verdict::kViolation, Stage::kRan,
       "tail-call-bound.fake.x86_64.main"},
  };
  for (const auto& row : rows) {
    MachineRun run;
    run.stop = row.stop;
    run.activations.resize(1);
    FakeJit jit([](const Case&) { return Status::kLoaded; });
    const Outcome outcome = judge_with(run).judge(parsed(kReturnsSeven), jit, Depth::kFast);
    EXPECT_EQ(outcome.judgement.verdict, row.verdict);
    EXPECT_EQ(outcome.stage, row.stage) << row.signature;
    EXPECT_EQ(outcome.judgement.signature.str(), row.signature);
    EXPECT_TRUE(is_finding(outcome.judgement));
  }
}

TEST(Judge, ComparesToTheEndWhatReturnsWithinTheBound) {
  const struct {
    std::uint32_t tail_calls;
    Stage stage;
  } rows[] = {{0, Stage::kCompared}, {33, Stage::kCompared}, {34, Stage::kRan}};
  for (const auto& row : rows) {
    MachineRun run;
    run.tail_calls = row.tail_calls;
    run.activations.resize(1);
    FakeJit jit([](const Case&) { return Status::kLoaded; });
    const Outcome outcome = judge_with(run).judge(parsed(kReturnsSeven), jit, Depth::kFast);
    EXPECT_EQ(outcome.stage, row.stage) << row.tail_calls;
  }
}

TEST(Judge, LeavesUndefinedCasesAlone) {
  FakeJit jit([](const Case&) -> Status { throw std::logic_error("must not be loaded"); });
  const Outcome outcome = Judge().judge(
      parsed(".case 1\n.program p\n.function main\n r0 = r3\n exit\n"), jit, Depth::kFast);
  EXPECT_EQ(outcome.judgement.verdict, Verdict::kUndefined);
  EXPECT_EQ(outcome.stage, Stage::kGenerated);
  EXPECT_FALSE(outcome.judgement.reason.empty());
  EXPECT_FALSE(is_finding(outcome.judgement));
}

TEST(Judge, AsksNoJitForWhatItCannotDo) {
  FakeJit jit([](const Case&) -> Status { throw std::logic_error("must not be loaded"); });
  jit.change_info().capabilities = 0;
  const Outcome outcome = Judge().judge(
      parsed(".case 1\n.program p\n.function main\n call sub\n exit\n.function sub\n r0 = 1\n "
             "exit\n"),
      jit, Depth::kFast);
  EXPECT_EQ(outcome.judgement.verdict, Verdict::kNotApplicable);
  EXPECT_EQ(outcome.stage, Stage::kDefined);
}

// Undefined under this contract only: to others the case is what the oracle says.
TEST(Judge, WhatAContractDoesNotSayIsNotApplicable) {
  FakeJit jit([](const Case&) -> Status { throw std::logic_error("must not be loaded"); });
  jit.change_info().contract.division_by_zero = DivisionByZero::kUnknown;
  const Outcome outcome = Judge().judge(
      parsed(".case 1\n.program entry\n.function main\n r0 = 7\n r1 = 0\n r0 /= r1\n exit\n"), jit,
      Depth::kFast);
  EXPECT_EQ(outcome.judgement.verdict, Verdict::kNotApplicable);
  EXPECT_EQ(outcome.stage, Stage::kDefined);
  EXPECT_EQ(outcome.judgement.reason, "division by zero, and what that does is not known");
  EXPECT_EQ(outcome.judgement.detail, "entry.main at slot 2: r0 /= r1");
  EXPECT_TRUE(outcome.judgement.answers.empty());
}

TEST(Judge, AJitThatNoMachineRunsIsNotApplicable) {
  FakeJit jit([](const Case&) -> Status { throw std::logic_error("must not be loaded"); });
  Judge judge([](Arch) { return nullptr; });
  const Outcome outcome = judge.judge(parsed(kReturnsSeven), jit, Depth::kFast);
  EXPECT_EQ(outcome.judgement.verdict, Verdict::kNotApplicable);
  EXPECT_FALSE(outcome.judgement.reason.empty());
}

TEST(Judge, KeepsEverythingForAnExamination) {
  MachineRun run;
  run.stop = StopReason::kBudget;
  run.activations.resize(1);
  run.detail = "kept";
  FakeJit jit([](const Case&) { return Status::kLoaded; });
  const Trial trial = judge_with(run).examine(parsed(kReturnsSeven), jit, Depth::kFull);
  EXPECT_EQ(trial.run.detail, "kept");
  ASSERT_NE(trial.image, nullptr);
  EXPECT_EQ(trial.execution.result, Value::scalar(7));
  EXPECT_EQ(trial.judgement.verdict, Verdict::kViolation);
}

TEST(Judge, ShowsWhatItIsDoing) {
  std::atomic<Activity> activity = Activity::kIdle;
  FakeJit jit([&](const Case&) {
    EXPECT_EQ(activity.load(), Activity::kCompiling);
    return Status::kRefused;
  });
  Judge judge;
  judge.show_activity(&activity);
  EXPECT_EQ(judge.judge(parsed(kReturnsSeven), jit, Depth::kFast).judgement.verdict,
            Verdict::kRefused);
}

}  // namespace
}  // namespace plumb::harness
