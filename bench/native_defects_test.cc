// SPDX-License-Identifier: GPL-2.0-or-later
//
// Native code that is wrong in every way that we can seed ends no process.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "bench/shapes.h"
#include "harness/call_in_child.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/defects.h"
#include "machine/machine.h"
#include "machine/native/native_machine.h"

namespace plumb::bench {
namespace {

using jit::reference::DefectInfo;

const std::string kSame = "as in the emulator";

// "as in the emulator", or what differs: where the code returns on both, it returns the same.
std::string run_all(const std::string& name) {
  auto jits = jit::open_jits("", name);
  if (!jits) return jits.error().message;
  auto native = machine::NativeMachine::open();
  if (!native) return native.error().message;
  const auto emulated = machine::make_machine(Arch::kX86_64);
  for (const BenchShape& shape : bench_shapes()) {
    if ((shape.needs & ~jits->front()->info().capabilities) != 0) continue;
    const Case value = bench_case(shape);
    const jit::LoadOutcome outcome = jits->front()->load(value);
    if (outcome.image == nullptr) continue;
    const MachineRun& expected = emulated->run(value, outcome.image->image(), {});
    auto code = (*native)->load(value, outcome.image->image(), machine::NativeHelpers::kThorough);
    if (!code) return code.error().message;
    const machine::NativeRun got = code->run();
    if (!got.stop.returned() || expected.stop != StopReason::kReturned) continue;
    if (got.result != expected.result || got.context != expected.context) {
      return fmt::format("{}: {:#x} and not {:#x}", shape.name, got.result, expected.result);
    }
  }
  return kSame;
}

class EveryDefect : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (auto native = machine::NativeMachine::open(); !native) {
      GTEST_SKIP() << native.error().message;
    }
  }
};

TEST_P(EveryDefect, EndsNoProcessAndDoesAsInTheEmulator) {
  for (const DefectInfo& defect : jit::reference::defect_table()) {
    if (!jit::reference::applies_to(defect, GetParam())) continue;
    const std::string name = fmt::format("reference:{}+{}", GetParam(), defect.name);
    const auto line = harness::call_in_child([&] { return run_all(name); }, 120);
    ASSERT_TRUE(line.has_value()) << name << ": " << line.error().message;
    EXPECT_EQ(*line, kSame) << name;
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Native, EveryDefect,
                         testing::Values("x86_64-4.12", "x86_64-5.10", "x86_64-6.12",
                                         "x86_64-double-frame"),
                         test_name);

}  // namespace
}  // namespace plumb::bench
