// SPDX-License-Identifier: GPL-2.0-or-later
//
// The processor itself against the emulator and the oracle: every shape, under every x86-64 JIT.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/shapes.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"
#include "machine/machine.h"
#include "machine/native/hardware_counters.h"
#include "machine/native/native_machine.h"

namespace plumb::bench {
namespace {

using machine::NativeMachine;
using machine::NativeRun;

std::string plugins() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plugins").string();
}

std::vector<std::string> jit_names() {
  std::vector<std::string> names;
  for (const jit::JitEntry& entry : jit::built_in_jits()) {
    if (entry.name.starts_with("reference:x86_64-")) names.push_back(entry.name);
  }
  for (const jit::JitEntry& entry : jit::find_jits(plugins())) {
    if (entry.name.starts_with("linux-") && entry.name.contains("-x86_64")) {
      names.push_back(entry.name);
    }
  }
  return names;
}

class Native : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = NativeMachine::open();
    if (!opened) GTEST_SKIP() << opened.error().message;
    native_ = *std::move(opened);
  }

  [[nodiscard]] static std::unique_ptr<jit::Jit> open(const std::string& name) {
    auto opened = jit::open_jits(plugins(), name);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return opened ? std::move(opened->front()) : nullptr;
  }

  std::unique_ptr<NativeMachine> native_;
};

class EveryJit : public Native, public testing::WithParamInterface<std::string> {
 protected:
  // Calls what(shape's case, loaded image) for each shape that the JIT takes; returns how many.
  template <typename What>
  int each_shape(const What& what) {
    const auto jit = open(GetParam());
    if (jit == nullptr) return 0;
    int shapes = 0;
    for (const BenchShape& shape : bench_shapes()) {
      if ((shape.needs & ~jit->info().capabilities) != 0) continue;
      SCOPED_TRACE(shape.name);
      const Case value = bench_case(shape);
      const jit::LoadOutcome outcome = jit->load(value);
      if (outcome.status == jit::LoadOutcome::Status::kNotApplicable) continue;
      EXPECT_EQ(outcome.status, jit::LoadOutcome::Status::kLoaded) << outcome.reason;
      if (outcome.image == nullptr) continue;
      what(value, outcome.image->image());
      ++shapes;
    }
    return shapes;
  }
};

TEST_P(EveryJit, DoesTheSameAsInTheEmulator) {
  const auto emulated = machine::make_machine(Arch::kX86_64);
  const int shapes = each_shape([&](const Case& value, const Image& image) {
    const MachineRun run = emulated->run(value, image, {});
    ASSERT_EQ(run.stop, StopReason::kReturned) << run.detail;
    auto code = native_->load(value, image, machine::NativeHelpers::kThorough);
    ASSERT_TRUE(code.has_value()) << code.error().message;
    const NativeRun got = code->run();
    ASSERT_TRUE(got.stop.returned()) << got.stop.detail;
    EXPECT_EQ(got.result, run.result);
    EXPECT_EQ(got.broken, std::vector<std::string>{});
    EXPECT_EQ(got.context, run.context);
    EXPECT_EQ(got.regions, run.regions);
    EXPECT_TRUE(code->repeat(100).returned());
    EXPECT_EQ(code->run().result, run.result);
  });
  EXPECT_GE(shapes, 15);
}

TEST_P(EveryJit, DoesTheSameWithTheHelpersOfMeasurements) {
  each_shape([&](const Case& value, const Image& image) {
    const auto results = [&](machine::NativeHelpers helpers) {
      auto code = native_->load(value, image, helpers);
      EXPECT_TRUE(code.has_value()) << code.error().message;
      const NativeRun run = code->run();
      EXPECT_TRUE(run.stop.returned()) << run.stop.detail;
      EXPECT_EQ(run.broken, std::vector<std::string>{});
      return run.result;
    };
    EXPECT_EQ(results(machine::NativeHelpers::kQuick), results(machine::NativeHelpers::kThorough));
  });
}

// The instruction counts of reports come from the emulator: the processor executes the same ones.
TEST_P(EveryJit, ExecutesTheInstructionsThatTheEmulatorExecutes) {
  const auto emulated = machine::make_machine(Arch::kX86_64);
  each_shape([&](const Case& value, const Image& image) {
    const MachineRun run = emulated->run(value, image, {.depth = Depth::kFull});
    std::vector<std::uint64_t> expected;
    for (const MachineStep& step : run.steps) {
      const bool is_code = std::ranges::any_of(
          image.code, [&](const Range& code) { return code.contains(step.pc); });
      if (is_code) expected.push_back(step.pc);
    }
    auto code = native_->load(value, image, machine::NativeHelpers::kThorough);
    ASSERT_TRUE(code.has_value()) << code.error().message;
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(code->trace(), expected);
  });
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Native, EveryJit, testing::ValuesIn(jit_names()), test_name);

// The processor's count of instructions per call.
double instructions_per_call(machine::HardwareCounters& counters,
                             const std::function<machine::NativeStop(std::uint64_t)>& repeat) {
  constexpr std::uint64_t kCalls = 10'000;
  EXPECT_TRUE(repeat(kCalls).returned());
  counters.start();
  EXPECT_TRUE(repeat(kCalls).returned());
  const auto counted = counters.stop();
  EXPECT_TRUE(counted.has_value()) << counted.error().message;
  return counted ? static_cast<double>(counted->instructions) / kCalls : 0;
}

TEST_F(Native, TheProcessorCountsAsManyInstructions) {
  auto counters = machine::HardwareCounters::open();
  if (!counters) GTEST_SKIP() << counters.error().message;
  const auto jit = open("reference:x86_64-6.12");
  for (const BenchShape& shape : bench_shapes()) {
    // Helpers have instructions that nobody counts in the emulator.
    const bool has_helper = shape.id == BenchShapeId::kHelper || shape.id == BenchShapeId::kLoop ||
                            shape.id == BenchShapeId::kPacket;
    if (has_helper) continue;
    SCOPED_TRACE(shape.name);
    const Case value = bench_case(shape);
    const jit::LoadOutcome outcome = jit->load(value);
    ASSERT_NE(outcome.image, nullptr) << outcome.reason;
    auto code = native_->load(value, outcome.image->image(), machine::NativeHelpers::kThorough);
    ASSERT_TRUE(code.has_value()) << code.error().message;
    const auto executed = static_cast<double>(code->trace().size());
    const double loop =
        instructions_per_call(*counters, [&](auto calls) { return code->repeat_empty(calls); });
    const double whole =
        instructions_per_call(*counters, [&](auto calls) { return code->repeat(calls); });
    // The empty function has one instruction. What starts and stops the counters: some hundred.
    EXPECT_NEAR(whole - (loop - 1), executed, 0.2);
  }
}

struct Defective {
  const char* defect;
  const char* shape;
  const char* says;  // how the report begins
};

TEST_F(Native, SeededDefectsAreReported) {
  const Defective rows[] = {
      {"x86_64-6.12+return-address-popped", "empty", "SIGSEGV in entry.main at offset 0x"},
      {"x86_64-6.12+return-address-popped", "leaf", "SIGSEGV outside the image, left in entry.f1"},
      {"x86_64-6.12+register-not-saved", "r6-r9", "r15 is not what the caller had in it"},
      {"x86_64-6.12+register-not-restored", "r6", "rbx is not what the caller had in it"},
      {"x86_64-6.12+restores-in-push-order", "r6-r9", "r"},
      {"x86_64-4.12+register-not-restored", "r6-r9", "r"},
      {"x86_64-5.2+register-not-restored", "stack-512", "r"},
  };
  for (const Defective& row : rows) {
    SCOPED_TRACE(std::string(row.defect) + " " + row.shape);
    const auto jit = open("reference:" + std::string(row.defect));
    ASSERT_NE(jit, nullptr);
    const Case value = bench_case(*find_bench_shape(row.shape));
    const jit::LoadOutcome outcome = jit->load(value);
    ASSERT_NE(outcome.image, nullptr) << outcome.reason;
    auto code = native_->load(value, outcome.image->image(), machine::NativeHelpers::kThorough);
    ASSERT_TRUE(code.has_value()) << code.error().message;
    const NativeRun got = code->run();
    const std::string said = !got.stop.returned() ? got.stop.detail
                             : got.broken.empty() ? "nothing"
                                                  : got.broken.front();
    EXPECT_TRUE(said.starts_with(row.says)) << said;
  }
}

}  // namespace
}  // namespace plumb::bench
