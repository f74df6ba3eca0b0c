// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's interpreter behind jit_under_test/interpreter.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/capability.h"
#include "core/case_text.h"
#include "core/helper_model.h"
#include "jit_under_test/interpreter.h"
#include "jit_under_test/second_opinion.h"

namespace plumb::jit {
namespace {

using Status = Interpretation::Status;

Case parsed(const std::string& text) {
  auto value = parse_case(".case 1\n" + text);
  EXPECT_TRUE(value.has_value()) << value.error().str() << "\n" << text;
  return *std::move(value);
}

Case main_only(const std::string& body) {
  return parsed(
      ".array jmp 2\n.slot jmp 1 p\n.region data 16\n.bytes 01 02 03 04 05 06 07 08\n"
      ".program p\n.function main\n" +
      body + "\n exit\n.context 11 22 33 44 55 66 77 88\n");
}

class LinuxInterpreter : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto opened =
        open_interpreter(std::string(PLUMB_PLUGIN_DIR "/interpreters/linux-") + GetParam() + ".so");
    ASSERT_TRUE(opened.has_value()) << opened.error().str();
    interpreter_ = std::move(*opened);
  }
  [[nodiscard]] bool is_new() const { return std::string(GetParam()) == "6.12"; }

  std::unique_ptr<Interpreter> interpreter_;
};

TEST_P(LinuxInterpreter, SaysWhatItIs) {
  const InterpreterInfo& info = interpreter_->info();
  const std::string name = std::string("linux-") + GetParam();
  EXPECT_EQ(info.name, name);
  EXPECT_TRUE(info.version.starts_with(std::string(GetParam()) + ".")) << info.version;
  EXPECT_TRUE(speaks_of(info, name + "-x86_64"));
  EXPECT_TRUE(speaks_of(info, name + "-riscv64:rvc"));
  EXPECT_FALSE(speaks_of(info, name + "-user-x86_64"));
  EXPECT_FALSE(speaks_of(info, "reference-x86_64"));
  EXPECT_TRUE(info.empty_slot_consumes_count);
  EXPECT_FALSE(info.calls_keep_count);
  EXPECT_EQ((info.capabilities & capability_bit(Capability::kV4)) != 0, is_new());
  EXPECT_EQ(info.capabilities & capability_bit(Capability::kTailCallInSubprogram), 0U);
  EXPECT_EQ(info.capabilities & capability_bit(Capability::kCallBack), 0U);
  EXPECT_NE(info.capabilities & capability_bit(Capability::kJumpBack), 0U);
}

TEST_P(LinuxInterpreter, RunsWhatItIsGiven) {
  struct Row {
    const char* body;
    std::uint64_t result;
  };
  for (const Row& row : {
           Row{" r0 = -1", ~std::uint64_t{0}},  // all 64 bits, where bpf_func gives 32
           Row{" r0 = *(u32 *)(r1 + 4)", 0x88776655},
           Row{" r2 = data+4 ll\n r0 = *(u32 *)(r2 + 0)", 0x08070605},
           Row{" r0 = 7\n r1 = 0\n r0 /= r1", 0},
           Row{" r0 = 7\n r1 = 0\n r0 %= r1", 7},
           Row{" r0 = 0x1ffffffff ll\n w1 = 0\n w0 %= w1", 0xffffffff},
           Row{" r0 = 7\n if r0 s> -1 goto +1\n r0 = 1", 7},
           Row{" *(u64 *)(r10 - 512) = 3\n r0 = *(u64 *)(r10 - 512)", 3},
           Row{" r2 = data ll\n r1 = 2\n w1 = atomic_fetch_add((u32 *)(r2 + 0), w1)\n r0 = r1",
               0x04030201},
           Row{" r2 = data ll\n r1 = 2\n r1 = xchg_64(r2 + 8, r1)\n r0 = *(u64 *)(r2 + 8)", 2},
           Row{" r2 = data ll\n r0 = 0x0807060504030201 ll\n r1 = 9\n"
               " r0 = cmpxchg_64(r2 + 0, r0, r1)\n r0 = *(u64 *)(r2 + 0)",
               9},
           Row{" r2 = data ll\n w0 = 5\n w1 = 9\n w0 = cmpxchg32_32(r2 + 0, w0, w1)", 0x04030201},
       }) {
    const Interpretation seen = interpreter_->run(main_only(row.body));
    ASSERT_EQ(seen.status, Status::kRan) << seen.reason << "\n" << row.body;
    EXPECT_EQ(seen.result, row.result) << row.body;
    EXPECT_TRUE(seen.padding_intact);
    // A function of the case.
    EXPECT_EQ(interpreter_->run(main_only(row.body)).regions, seen.regions);
  }
}

TEST_P(LinuxInterpreter, LeavesMemoryAndPointersToBeCompared) {
  const Interpretation seen = interpreter_->run(
      main_only(" r2 = data ll\n *(u64 *)(r2 + 8) = r1\n *(u8 *)(r1 + 7) = 0\n r3 = jmp ll\n"
                " *(u64 *)(r2 + 0) = r3\n r0 = 0"));
  ASSERT_EQ(seen.status, Status::kRan) << seen.reason;
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | seen.regions[0][at + i];
    return value;
  };
  EXPECT_EQ(word(8), seen.context_address);
  EXPECT_EQ(word(0), seen.array_addresses[0]);
  EXPECT_EQ(seen.context.back(), 0);
}

TEST_P(LinuxInterpreter, NoticesWritesBesideARegion) {
  const Interpretation seen =
      interpreter_->run(main_only(" r2 = data ll\n *(u8 *)(r2 + 16) = 1\n r0 = 0"));
  EXPECT_FALSE(seen.padding_intact);
}

TEST_P(LinuxInterpreter, CallsHelpersAsTheModelHasThem) {
  const Interpretation seen = interpreter_->run(
      main_only(" call 5\n r6 = r0\n r1 = data ll\n r2 = 4\n r3 = 1\n r4 = 2\n r5 = 3\n call 6\n"
                " r0 ^= r6"));
  ASSERT_EQ(seen.status, Status::kRan) << seen.reason;
  ASSERT_EQ(seen.helper_calls.size(), 2U);
  EXPECT_EQ(seen.helper_calls[0].number, 5);
  EXPECT_EQ(seen.helper_calls[1].arguments[0], seen.region_addresses[0]);
  EXPECT_EQ(seen.helper_calls[1].arguments[4], 3U);
  const std::array<std::uint8_t, 4> bytes{1, 2, 3, 4};
  const std::uint64_t first =
      run_helper({.number = 5, .ordinal = 0, .scalars = {}, .read = {}, .write = {}});
  const std::uint64_t second = run_helper(
      {.number = 6, .ordinal = 1, .scalars = {0, 4, 1, 2, 3}, .read = {bytes, {}}, .write = {}});
  EXPECT_EQ(seen.result, first ^ second);
}

TEST_P(LinuxInterpreter, CountsTailCallsAndEmptySlots) {
  // Counts its runs in the region; at each, one attempt at an empty slot if asked for.
  const std::string count =
      " r6 = r1\n r7 = data ll\n r0 = *(u64 *)(r7 + 8)\n r0 += 1\n *(u64 *)(r7 + 8) = r0\n";
  const std::string empty = " r1 = r6\n r2 = jmp ll\n r3 = 0\n call 12\n";
  const std::string again = " r1 = r6\n r2 = jmp ll\n r3 = 1\n call 12\n r0 = *(u64 *)(r7 + 8)";
  EXPECT_EQ(interpreter_->run(main_only(count + again)).result, 34U);
  EXPECT_EQ(interpreter_->run(main_only(count + empty + again)).result, 17U);
}

TEST_P(LinuxInterpreter, RunsSubprogramsOnStacksOfTheirOwn) {
  const Interpretation seen = interpreter_->run(
      parsed(".program p\n.function main\n *(u64 *)(r10 - 8) = 1\n r1 = r10\n r1 += -8\n r6 = 5\n"
             " call add\n r1 = *(u64 *)(r10 - 8)\n r0 += r1\n r0 += r6\n exit\n"
             ".function add\n *(u64 *)(r10 - 8) = 100\n r2 = *(u64 *)(r1 + 0)\n r2 += 10\n"
             " *(u64 *)(r1 + 0) = r2\n r6 = 0\n call leaf\n r1 = *(u64 *)(r10 - 8)\n r0 += r1\n"
             " exit\n.function leaf\n r0 = 1000\n exit\n"));
  ASSERT_EQ(seen.status, Status::kRan) << seen.reason;
  EXPECT_EQ(seen.result, 1000U + 100U + 11U + 5U);
}

TEST_P(LinuxInterpreter, SaysWhyItDoesNotRunACase) {
  struct Row {
    const char* text;
    const char* why;
  };
  for (const Row& row :
       {Row{".array a 1\n.program p\n.function main\n r6 = r1\n call f\n exit\n.function f\n"
            " r2 = a ll\n r3 = 0\n call 12\n r0 = 0\n exit\n",
            "tail calls in programs with subprograms"},
        Row{".program p\n.function main\n r1 = 2\n r2 = f ll\n r3 = 0\n r4 = 0\n call 181\n exit\n"
            ".function f\n r0 = 0\n exit\n",
            "callbacks"},
        Row{".program p\n.function main\n call 9\n exit\n", "no helper has the number 9"},
        Row{".program p\n.function main\n r0 = *(u8 *)skb[0]\n exit\n", "legacy packet access"}}) {
    const Interpretation seen = interpreter_->run(parsed(row.text));
    EXPECT_EQ(seen.status, Status::kNotApplicable) << row.text;
    EXPECT_NE(seen.reason.find(row.why), std::string::npos) << seen.reason;
  }
  const Interpretation v4 = interpreter_->run(main_only(" r0 = 200\n r0 = (s8)r0"));
  EXPECT_EQ(v4.status, is_new() ? Status::kRan : Status::kNotApplicable);
  EXPECT_EQ(v4.result, is_new() ? static_cast<std::uint64_t>(-56) : 0);
}

TEST_P(LinuxInterpreter, ForgetsACaseBeforeTheNext) {
  const Case large = parsed(".array a 256\n.program p\n.function main\n r0 = 1\n exit\n");
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(interpreter_->run(large).status, Status::kRan);
}

INSTANTIATE_TEST_SUITE_P(Linux, LinuxInterpreter, testing::Values("6.12", "6.1"),
                         [](const auto& test) {
                           return std::string(test.param) == "6.1" ? "6_1" : "6_12";
                         });

TEST(Interpreters, AllOfADirectoryAreOpened) {
  const auto opened = open_interpreters(PLUMB_PLUGIN_DIR ":" PLUMB_PLUGIN_DIR ":/no/such/dir");
  ASSERT_TRUE(opened.has_value()) << opened.error().str();
  std::vector<std::string> names;
  for (const auto& one : *opened) names.push_back(one->info().name);
  EXPECT_EQ(std::ranges::count(names, "linux-6.1"), 1);
  EXPECT_EQ(std::ranges::count(names, "linux-6.12"), 1);
}

TEST(Interpreters, WhatIsNoneIsAnErrorWithItsPath) {
  const std::string jit = PLUMB_PLUGIN_DIR "/linux-6.12-x86_64.so";
  const auto not_one = open_interpreter(jit);
  ASSERT_FALSE(not_one.has_value());
  EXPECT_EQ(not_one.error().file, jit);
  EXPECT_EQ(not_one.error().message,
            "no interpreter: it does not export " PLUMB_INTERPRETER_ENTRY "()");
  EXPECT_FALSE(open_interpreter("no-such-file.so").has_value());

  namespace fs = std::filesystem;
  const fs::path directory = fs::path(testing::TempDir()) / "plumb-interpreters";
  fs::create_directories(directory / "interpreters");
  std::ofstream(directory / "interpreters/broken.so") << "text";
  EXPECT_FALSE(open_interpreters(directory.string()).has_value());
  fs::remove_all(directory);
}

}  // namespace
}  // namespace plumb::jit
