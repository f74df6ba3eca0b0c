// SPDX-License-Identifier: GPL-2.0-or-later
//
// The program as a user runs it. No time is judged.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace plumb::bench {
namespace {

using nlohmann::json;

struct Ran {
  int status = -1;
  std::string output;
};

Ran run(const std::string& arguments) {
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "prologue_benchmark";
  FILE* const pipe = popen((program.string() + " " + arguments).c_str(), "r");
  Ran ran;
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) != 0;) {
    ran.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

constexpr const char* kQuick =
    " --benchmark_min_time=0.001 --benchmark_repetitions=1 --benchmark_format=json 2>/dev/null";

class PrologueBenchmark : public testing::Test {
 protected:
  void SetUp() override {
    const Ran ran = run("--benchmark_list_tests --plumb_shape=empty 2>&1");
    if (ran.status == 2) GTEST_SKIP() << ran.output;
  }
};

TEST_F(PrologueBenchmark, MeasuresEachChosenShapeUnderEachChosenJit) {
  const Ran ran = run("--plumb_shape=empty,leaf --plumb_jit='reference:x86_64-5.2,*-6.12'" +
                      std::string(kQuick));
  ASSERT_EQ(ran.status, 0) << ran.output;
  const json rows = json::parse(ran.output).at("benchmarks");
  std::vector<std::string> names;
  for (const json& row : rows) {
    names.push_back(row.at("name"));
    EXPECT_GT(row.at("cpu_time").get<double>(), 0.0);
    EXPECT_GE(row.at("iterations").get<int>(), 10'000);
    if (names.back() == "overhead/loop") continue;
    EXPECT_GT(row.at("instructions").get<double>(), 0.0) << names.back();
    EXPECT_GT(row.at("code_bytes").get<double>(), 0.0) << names.back();
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"empty/reference:x86_64-5.2", "empty/reference:x86_64-6.12",
                                      "leaf/reference:x86_64-5.2", "leaf/reference:x86_64-6.12",
                                      "overhead/loop"}));
}

TEST_F(PrologueBenchmark, SaysWhatFaultsAndGoesOn) {
  const Ran ran =
      run("--plumb_shape=r6 "
          "--plumb_jit=reference:x86_64-6.12,reference:x86_64-6.12+return-address-popped,"
          "reference:x86_64-6.12+register-not-restored" +
          std::string(kQuick));
  EXPECT_EQ(ran.status, 1);
  const json rows = json::parse(ran.output).at("benchmarks");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_FALSE(rows[0].contains("error_occurred"));
  EXPECT_EQ(rows[1].at("name"), "r6/reference:x86_64-6.12+return-address-popped");
  EXPECT_EQ(rows[1].at("error_message").get<std::string>().substr(0, 21), "SIGSEGV in entry.main");
  EXPECT_EQ(rows[2].at("error_message"), "rbx is not what the caller had in it");
  EXPECT_FALSE(rows[3].contains("error_occurred"));
}

TEST_F(PrologueBenchmark, HasARowForEachMarkOfAnInterrupt) {
  const Ran ran =
      run("--plumb_shape=empty --plumb_jit=reference:x86_64-6.12 --plumb_interrupts=all "
          "--benchmark_filter='^interrupt/'" +
          std::string(kQuick));
  ASSERT_EQ(ran.status, 0) << ran.output;
  std::vector<std::string> names;
  const json rows = json::parse(ran.output).at("benchmarks");
  for (const json& row : rows) {
    names.push_back(row.at("name"));
    EXPECT_GT(row.at("cpu_time").get<double>(), 0.0);
    EXPECT_GT(row.at("code_bytes").get<double>(), 0.0);
    EXPECT_EQ(row.contains("to_unmarked"), names.back() != "interrupt/nothing") << names.back();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"interrupt/nothing", "interrupt/two-words-reserved",
                                             "interrupt/two-words", "interrupt/three-pushes",
                                             "interrupt/encoded"}));
}

// plumb bench chooses shapes, and has no use for other rows.
TEST_F(PrologueBenchmark, HasNoRowOfInterruptsBesideChosenShapes) {
  EXPECT_EQ(run("--benchmark_list_tests --plumb_shape=empty 2>&1").output.find("interrupt/"),
            std::string::npos);
  EXPECT_NE(run("--benchmark_list_tests 2>&1").output.find("interrupt/"), std::string::npos);
}

TEST_F(PrologueBenchmark, RefusesWhatItDoesNotKnowWithOneLine) {
  struct Row {
    const char* arguments;
    const char* message;
  };
  const Row rows[] = {
      {"--plumb_shape=emty", "prologue_benchmark: no shape is called \"emty\"\n"},
      {"--plumb_jit=reference:arm64-6.12",
       "prologue_benchmark: reference:arm64-6.12 makes code for arm64: only x86-64 code can be "
       "timed\n"},
      {"--plumb_jit='reference:arm64-*'",
       "prologue_benchmark: no JIT of 'reference:arm64-*' is for x86-64\n"},
      {"--plumb_jit=linux-9.9-x86_64", "prologue_benchmark: no JIT is called 'linux-9.9-x86_64'"},
      {"--plumb_jit=reference:x86_64-6.12+no-such-defect", "prologue_benchmark: "},
      {"--plumb_shape=leaf --plumb_jit=reference:x86_64-4.12",
       "prologue_benchmark: no JIT of 'reference:x86_64-4.12' takes a shape of 'leaf'\n"},
      {"--plumb_interrupts=some",
       "prologue_benchmark: --plumb_interrupts is all or none, not \"some\"\n"},
      {"--plumb_shape=", "prologue_benchmark: no shape is called \"\"\n"},
      {"--nonsense", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.arguments);
    const Ran ran = run(row.arguments + std::string(" 2>&1"));
    EXPECT_EQ(ran.status, 2);
    EXPECT_EQ(ran.output.substr(0, std::string(row.message).size()), row.message);
    EXPECT_EQ(std::ranges::count(ran.output, '\n'), 1) << ran.output;
  }
}

}  // namespace
}  // namespace plumb::bench
