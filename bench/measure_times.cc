// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "bench/measure.h"
#include "core/printable.h"
#include "jit_under_test/linux/trees/process.h"

namespace plumb::bench {
namespace {

using Json = nlohmann::json;
using reports::Measured;
using reports::MeasuredLayout;
using reports::MeasuredShape;

constexpr std::array<std::pair<std::string_view, double>, 4> kNanosecondsPerUnit = {
    {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};

// The row of the measuring loop alone.
constexpr std::string_view kLoop = "overhead/loop";

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string last_line(const std::string& path) {
  std::ifstream in(path);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return printable(last);
}

template <typename Named>
std::string joined(const std::vector<Named>& list, const auto& wanted) {
  std::string names;
  for (const Named& row : list) {
    if (!wanted(row)) continue;
    names += (names.empty() ? "" : ",") + row.name;
  }
  return names;
}

// "SHAPE/JIT", with whatever Google Benchmark has put behind it.
Measured* cell_of(std::string_view name, BenchResults& results) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const std::string rest = fmt::format("{}/", name.substr(slash + 1));
  const auto shape = std::ranges::find(results.shapes, name.substr(0, slash), &MeasuredShape::name);
  const auto layout = std::ranges::find_if(
      results.layouts, [&](const MeasuredLayout& row) { return rest.starts_with(row.name + "/"); });
  if (layout == results.layouts.end() || shape == results.shapes.end()) return nullptr;
  return &results.at(static_cast<std::size_t>(shape - results.shapes.begin()),
                     static_cast<std::size_t>(layout - results.layouts.begin()));
}

void read_row(const Json& row, BenchResults& results) {
  if (row.value("run_type", "iteration") != "iteration") return;
  const std::string name = row.value("run_name", row.value("name", ""));
  const std::string unit = row.value("time_unit", "ns");
  const auto factor = std::ranges::find(kNanosecondsPerUnit, unit,
                                        [](const auto& known) { return std::string(known.first); });
  const double time =
      factor == kNanosecondsPerUnit.end() ? 0.0 : row.value("cpu_time", 0.0) * factor->second;
  if (name.starts_with(kLoop)) results.loop_times.push_back(time);
  Measured* const cell = cell_of(name, results);
  if (cell == nullptr) return;
  if (row.value("error_occurred", false)) {
    cell->no_times = row.value("error_message", "an error");
    cell->times.clear();
    return;
  }
  if (time > 0 && cell->no_times.empty()) cell->times.push_back(time);
}

// Cells that have neither times nor a reason.
void explain_rest(BenchResults& results, const std::string& why) {
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    Measured& cell = results.cells[i];
    if (!cell.times.empty() || !cell.no_times.empty()) continue;
    cell.no_times = why;
  }
}

// What the program says of itself, or empty when it did its work.
Result<std::string> run(const BenchResults& results, const TimeOptions& options) {
  const std::string out = options.scratch + "/times.json";
  const std::string log = options.scratch + "/log";
  const jit::trees::InterruptsHeld held;
  const auto status = jit::trees::run_process(
      {options.program, "--plumb_plugins=" + options.plugins,
       "--plumb_jit=" + joined(results.layouts,
                               [](const MeasuredLayout& row) { return runs_natively(row.arch); }),
       "--plumb_shape=" + joined(results.shapes, [](const MeasuredShape&) { return true; }),
       fmt::format("--benchmark_repetitions={}", options.repetitions),
       fmt::format("--benchmark_min_time={}", options.seconds),
       "--benchmark_enable_random_interleaving=true", "--benchmark_out_format=json",
       "--benchmark_out=" + out},
      log);
  if (!status) return std::unexpected(status.error());
  // Status 1: some code did not do what it should; the other times are there.
  if (*status == 0 || *status == 1) return std::string();
  const std::string line = last_line(log);
  return fmt::format("prologue_benchmark ended with status {}{}{}", *status,
                     line.empty() ? "" : ": ", line);
}

// Google Benchmark writes numbers that JSON does not have: the deviation of a counter that is 0. We
// do not read these.
std::string without_nan(std::string_view json) {
  constexpr std::string_view kNoNumbers[] = {": NaN", ": -NaN", ": Infinity", ": -Infinity"};
  std::string out;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto found = std::ranges::find_if(
        kNoNumbers, [&](std::string_view text) { return json.substr(i).starts_with(text); });
    if (found == std::end(kNoNumbers)) {
      out += json[i];
    } else {
      out += ": null";
      i += found->size() - 1;
    }
  }
  return out;
}

}  // namespace

bool runs_natively(Arch arch) {
#ifdef __x86_64__
  return arch == Arch::kX86_64;
#else
  static_cast<void>(arch);
  return false;
#endif
}

Result<void> read_times(std::string_view json, BenchResults& results) {
  const Json parsed = Json::parse(without_nan(json), nullptr, false);
  if (!parsed.is_object() || !parsed.contains("benchmarks") || !parsed["benchmarks"].is_array()) {
    return fail("no JSON of Google Benchmark");
  }
  try {
    for (const Json& row : parsed["benchmarks"]) read_row(row, results);
  } catch (const Json::exception& error) {
    return fail(fmt::format("no JSON of Google Benchmark: {}", error.what()));
  }
  return {};
}

Result<void> measure_times(BenchResults& results, const TimeOptions& options) {
  bool any = false;
  for (std::size_t l = 0; l < results.layouts.size(); ++l) {
    if (runs_natively(results.layouts[l].arch)) {
      any = true;
      continue;
    }
    for (std::size_t s = 0; s < results.shapes.size(); ++s) {
      results.at(s, l).no_times =
          fmt::format("{} code does not run here", arch_name(results.layouts[l].arch));
    }
  }
  if (!any) return {};
  if (access(options.program.c_str(), X_OK) != 0) {
    explain_rest(results, "there is no prologue_benchmark beside the command");
    return {};
  }
  const auto problem = run(results, options);
  if (!problem) return std::unexpected(problem.error());
  const auto read = read_times(read_file(options.scratch + "/times.json"), results);
  if (!problem->empty()) {
    explain_rest(results, *problem);
  } else {
    explain_rest(results, read ? "prologue_benchmark did not time it" : read.error().message);
  }
  return {};
}

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return printable(line.substr(colon + 2));
  }
  return {};
}

}  // namespace plumb::bench
