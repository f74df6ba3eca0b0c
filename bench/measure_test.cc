// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/measure.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/shapes.h"

namespace plumb::bench {
namespace {

BenchResults two_by_two() {
  BenchResults results;
  results.shapes = {{.name = "empty", .description = ""}, {.name = "r6", .description = ""}};
  results.layouts = {{.name = "reference:x86_64-6.12", .arch = Arch::kX86_64, .era = ""},
                     {.name = "linux-6.12-arm64:bti", .arch = Arch::kArm64, .era = ""}};
  results.cells.resize(4);
  return results;
}

constexpr std::string_view kTimes = R"({"context": {}, "benchmarks": [
  {"name": "empty/reference:x86_64-6.12/manual_time/repeats:2",
   "run_name": "empty/reference:x86_64-6.12/manual_time/repeats:2", "run_type": "iteration",
   "real_time": 9, "cpu_time": 2.5, "time_unit": "ns"},
  {"name": "empty/reference:x86_64-6.12", "run_name": "empty/reference:x86_64-6.12",
   "run_type": "iteration", "cpu_time": 0.003, "time_unit": "us"},
  {"name": "empty/reference:x86_64-6.12_median", "run_name": "empty/reference:x86_64-6.12",
   "run_type": "aggregate", "cpu_time": 2.75, "time_unit": "ns", "stack_loads": -NaN, "calls": NaN},
  {"name": "r6/reference:x86_64-6.12", "run_name": "r6/reference:x86_64-6.12",
   "run_type": "iteration", "error_occurred": true, "error_message": "signal 11"},
  {"name": "overhead/loop", "run_name": "overhead/loop", "run_type": "iteration", "cpu_time": 1.25,
   "time_unit": "ns"},
  {"name": "something/else", "run_type": "iteration", "cpu_time": 1, "time_unit": "ns"}]})";

TEST(ReadTimes, TakesTheRepetitionsAndNotTheAggregates) {
  BenchResults results = two_by_two();
  ASSERT_TRUE(read_times(kTimes, results));
  EXPECT_EQ(results.at(0, 0).times, (std::vector<double>{2.5, 3.0}));
  EXPECT_EQ(results.loop_times, std::vector<double>{1.25});
  EXPECT_EQ(results.at(1, 0).times, std::vector<double>{});
  EXPECT_EQ(results.at(1, 0).no_times, "signal 11");
  EXPECT_EQ(results.at(0, 1).times, std::vector<double>{});
}

TEST(ReadTimes, RefusesWhatIsNoSuchText) {
  for (const std::string_view text :
       {"", "[]", "{}", R"({"benchmarks": 1})", R"({"benchmarks": [{"run_type": 1}]})"}) {
    BenchResults results = two_by_two();
    EXPECT_FALSE(read_times(text, results)) << text;
  }
}

TEST(MeasureTimes, SaysWhyThereAreNone) {
  BenchResults results = two_by_two();
  ASSERT_TRUE(measure_times(results, {.program = "/no/such/program",
                                      .plugins = "",
                                      .repetitions = 1,
                                      .seconds = 0.001,
                                      .scratch = "/no/such/directory"}));
  EXPECT_EQ(results.at(0, 1).no_times, "arm64 code does not run here");
  if (!runs_natively(Arch::kX86_64)) GTEST_SKIP() << "x86-64 code does not run here";
  EXPECT_EQ(results.at(0, 0).no_times, "there is no prologue_benchmark beside the command");
}

TEST(MeasureFigures, FillsEveryCell) {
  auto jits = jit::open_jits("", "reference:x86_64-5.2,reference:arm64-6.12");
  ASSERT_TRUE(jits);
  reports::sort_by_era(*jits);
  const auto shapes = choose_bench_shapes("empty,tail-subprogram");
  ASSERT_TRUE(shapes);
  BenchResults results = make_results(*shapes, *jits);
  EXPECT_EQ(measure_figures(results, *shapes, *jits, 2), std::vector<std::string>{});
  EXPECT_TRUE(results.at(0, 0).figures);
  EXPECT_TRUE(results.at(0, 1).figures);
  EXPECT_EQ(results.at(1, 0).no_figures, "not applicable: the JIT lacks tail-calls-in-subprograms");
  EXPECT_TRUE(results.at(1, 1).figures);
  BenchResults again = make_results(*shapes, *jits);
  EXPECT_EQ(measure_figures(again, *shapes, *jits, 1), std::vector<std::string>{});
  EXPECT_EQ(results, again);
}

}  // namespace
}  // namespace plumb::bench
