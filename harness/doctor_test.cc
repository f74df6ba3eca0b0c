// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include "core/case_text.h"
#include "harness/judge.h"
#include "harness/testing_jit.h"
#include "jit_under_test/reference/reference.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::unique_ptr<jit::Jit> reference(const std::string& layout) {
  auto jit = jit::reference::open("reference:" + layout);
  EXPECT_TRUE(jit.has_value()) << layout;
  return *std::move(jit);
}

TEST(Doctor, HasTenDefinedCases) {
  EXPECT_EQ(doctor_cases().size(), 10u);
  std::set<std::string_view> names;
  for (const DoctorCase& one : doctor_cases()) {
    const auto value = parse_case(one.text);
    ASSERT_TRUE(value.has_value()) << one.name << ": " << value.error().str();
    EXPECT_TRUE(oracle::run(*value, kEveryVerifier).defined) << one.name;
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
  }
}

TEST(Doctor, FindsNothingWrongWithSoundLayouts) {
  for (const char* layout : {"x86_64-6.12", "x86_64-5.10", "arm64-6.12"}) {
    const auto jit = reference(layout);
    const Diagnosis diagnosis = diagnose(*jit);
    EXPECT_TRUE(diagnosis.is_healthy()) << layout;
    EXPECT_EQ(diagnosis.steps.size(), doctor_cases().size()) << layout;
    EXPECT_THAT(diagnosis.explanations, IsEmpty()) << layout;
    for (const DoctorStep& step : diagnosis.steps) {
      EXPECT_EQ(step.judgement.verdict, Verdict::kConforms) << layout << ", " << step.name;
      EXPECT_GT(step.held, 0u) << layout << ", " << step.name;
    }
  }
}

// A JIT that says one thing wrong, and what it should have said.
struct WrongWord {
  const char* field;
  const char* right;
  const char* layout;
  const char* shown_by;
  void (*change)(jit::JitInfo&);
};

const WrongWord kWrongWords[] = {
    {"contract.bpf_register[10]", "rbp", "x86_64-6.12", "uses-its-stack",
     [](jit::JitInfo& i) { i.registers.bpf[10] = 3; }},
    {"contract.r10_bias", "0", "x86_64-6.12", "uses-its-stack",
     [](jit::JitInfo& i) { i.registers.r10_bias = 16; }},
    {"contract.call_alignment", "8", "x86_64-6.12", "calls-a-function",
     [](jit::JitInfo& i) { i.contract.call_alignment = 16; }},
    {"contract.frame_pointer", "rbp", "x86_64-6.12", "returns-a-value",
     [](jit::JitInfo& i) { i.registers.frame_pointer = 3; }},
    {"contract.frame_pointer", "x29", "arm64-6.12", "returns-a-value",
     [](jit::JitInfo& i) { i.registers.frame_pointer = 28; }},
    {"contract.bpf_register[1]", "rdi", "x86_64-6.12", "calls-a-function",
     [](jit::JitInfo& i) { i.registers.bpf[1] = 11; }},
    {"contract.bpf_register[6]", "rbx", "x86_64-6.12", "calls-a-function",
     [](jit::JitInfo& i) { i.registers.bpf[6] = 0; }},
    {"contract.landing_pad", "none", "x86_64-6.12", "returns-a-value",
     [](jit::JitInfo& i) { i.landing.pad = LandingPad::kEndbr64; }},
    {"contract.empty_slot_consumes_count", "no", "x86_64-6.12", "counts-tail-calls",
     [](jit::JitInfo& i) { i.contract.empty_slot_consumes_count = Tristate::kYes; }},
    {"contract.empty_slot_consumes_count", "yes", "x86_64-5.10", "counts-tail-calls",
     [](jit::JitInfo& i) { i.contract.empty_slot_consumes_count = Tristate::kNo; }},
};

class WrongWordTest : public ::testing::TestWithParam<WrongWord> {};

TEST_P(WrongWordTest, IsNamedWithTheRightValue) {
  const WrongWord& word = GetParam();
  const auto jit = reference(word.layout);
  AmendedJit wrong(*jit, {.info = word.change, .image = {}});
  const Diagnosis diagnosis = diagnose(wrong);
  EXPECT_FALSE(diagnosis.is_healthy());
  EXPECT_EQ(diagnosis.steps.back().name, word.shown_by);
  bool named = false;
  for (const DoctorExplanation& one : diagnosis.explanations) {
    if (one.field != word.field) continue;
    named = true;
    EXPECT_THAT(one.values, Contains(word.right));
  }
  EXPECT_TRUE(named) << ::testing::PrintToString(diagnosis.explanations.size());
}

INSTANTIATE_TEST_SUITE_P(Doctor, WrongWordTest, ::testing::ValuesIn(kWrongWords),
                         [](const auto& row) { return "Row" + std::to_string(row.index); });

TEST(Doctor, ADefectOfTheCodeIsExplainedByNoSetting) {
  const auto jit = reference("x86_64-6.12+register-not-saved");
  const Diagnosis diagnosis = diagnose(*jit);
  EXPECT_FALSE(diagnosis.is_healthy());
  for (const DoctorExplanation& one : diagnosis.explanations) {
    ADD_FAILURE() << one.field << " " << ::testing::PrintToString(one.values);
  }
}

TEST(Doctor, AJitThatTakesNothingIsNotHealthy) {
  FakeJit jit([](const Case&) { return FakeJit::Status::kNotApplicable; });
  EXPECT_FALSE(diagnose(jit).is_healthy());
}

TEST(Doctor, AJitThatEndsTheProcessIsTold) {
  FakeJit jit([](const Case&) -> FakeJit::Status { std::_Exit(0); });
  const Diagnosis diagnosis = diagnose(jit);
  EXPECT_FALSE(diagnosis.is_healthy());
  ASSERT_EQ(diagnosis.steps.size(), 1u);
  EXPECT_EQ(diagnosis.steps[0].judgement.signature.invariant, kJitSurvives);
}

}  // namespace
}  // namespace plumb::harness
