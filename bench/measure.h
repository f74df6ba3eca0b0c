// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/shapes.h"
#include "core/result.h"
#include "jit_under_test/jit.h"
#include "reports/bench_results.h"

namespace plumb::bench {

using reports::BenchResults;

// BenchResults with these shapes and layouts, and nothing measured yet.
[[nodiscard]] BenchResults make_results(std::span<const BenchShape> shapes,
                                        std::span<const std::unique_ptr<jit::Jit>> jits);

// Fills in the figures of all cells. Each is counted in a child process: what ends it is the reason
// why there are none. Returns where the harness itself failed, a line each.
[[nodiscard]] std::vector<std::string> measure_figures(
    BenchResults& results, std::span<const BenchShape> shapes,
    std::span<const std::unique_ptr<jit::Jit>> jits, unsigned jobs);

// The architecture whose code can be timed here, if there is one.
[[nodiscard]] bool runs_natively(Arch arch);

struct TimeOptions {
  std::string program;  // bench/prologue_benchmark
  std::string plugins;  // directories of plugins, separated by ':'
  unsigned repetitions = 1;
  double seconds = 0;   // of each repetition
  std::string scratch;  // a directory for what it writes
};
// Runs the program and fills in the times of the cells whose code can run here. An error: an
// interrupt ended it, or no process could be made.
[[nodiscard]] Result<void> measure_times(BenchResults& results, const TimeOptions& options);

// The repetitions in the JSON of Google Benchmark, of benchmarks that are called "SHAPE/JIT",
// filled into the cells; what it says of an error is why a cell has no times. An error: it is no
// such text.
[[nodiscard]] Result<void> read_times(std::string_view json, BenchResults& results);

// "model name" of /proc/cpuinfo, or empty.
[[nodiscard]] std::string processor_name();

}  // namespace plumb::bench
