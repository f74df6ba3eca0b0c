// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "bench/measure.h"
#include "bench/shapes.h"
#include "core/printable.h"
#include "harness/corpus.h"
#include "reports/bench_chart.h"
#include "reports/bench_comparison.h"
#include "reports/bench_json.h"
#include "reports/bench_page.h"
#include "reports/bench_text.h"
#include "tools/open_jits.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

namespace fs = std::filesystem;
using reports::BenchResults;
using JitVector = std::vector<std::unique_ptr<jit::Jit>>;

struct BenchArguments {
  std::string jits = "all";
  std::string filter = "all";
  std::string only;  // "figures", "times", or empty: both
  std::string json;
  std::string html;
  std::string svg;
  std::string compare;
  std::string baseline;
  std::string from;  // results to show instead of measuring
  unsigned repetitions = 9;
  double seconds = 0.005;  // of each repetition

  [[nodiscard]] bool wants_figures() const { return only != "times"; }
  [[nodiscard]] bool wants_times() const { return only != "figures"; }
};

// A directory that lives as long as this object.
class Scratch {
 public:
  Scratch() {
    std::error_code error;
    const fs::path where = fs::temp_directory_path(error);
    path_ = ((error ? fs::path("/tmp") : where) / "plumb-bench-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }  // empty: there is none

 private:
  std::string path_;
};

Result<BenchResults> read_results(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("{}: cannot be read", path));
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) return fail(fmt::format("{}: cannot be read", path));
  return reports::read_bench_json(text, path);
}

// "A,B" as two names of JITs that are measured.
Result<std::pair<std::string, std::string>> read_pair(const std::string& text,
                                                      const BenchResults& results) {
  const std::size_t comma = text.find(',');
  if (comma == std::string::npos || text.find(',', comma + 1) != std::string::npos) {
    return fail(fmt::format("--compare takes two JITs, A,B: '{}'", text));
  }
  std::pair<std::string, std::string> names{text.substr(0, comma), text.substr(comma + 1)};
  for (const std::string& name : {names.first, names.second}) {
    if (std::ranges::find(results.layouts, name, &reports::MeasuredLayout::name) ==
        results.layouts.end()) {
      return fail(fmt::format("--compare: '{}' is not among the JITs that are measured", name));
    }
  }
  return names;
}

// All that has to be right before anything is measured.
struct Prepared {
  JitVector jits;
  std::vector<bench::BenchShape> shapes;
  BenchResults results;  // --from: as they were; else empty cells
  std::optional<std::pair<std::string, std::string>> pair;
  std::optional<BenchResults> baseline;
};

Result<void> prepare_measuring(Prepared& prepared, const BenchArguments& arguments,
                               const Session& session) {
  auto jits = open_all_jits(session, arguments.jits);
  if (!jits) return std::unexpected(jits.error());
  prepared.jits = std::move(*jits);
  reports::sort_by_era(prepared.jits);
  auto shapes = bench::choose_bench_shapes(arguments.filter);
  if (!shapes) return std::unexpected(shapes.error());
  prepared.shapes = std::move(*shapes);
  prepared.results = bench::make_results(prepared.shapes, prepared.jits);
  if (arguments.wants_figures()) return {};
  for (const auto& jit : prepared.jits) {
    if (bench::runs_natively(jit->info().arch)) continue;
    return fail(fmt::format("{}: {} code does not run on this host, so it has no times",
                            jit->info().name, arch_name(jit->info().arch)));
  }
  return {};
}

Result<void> prepare_reading(Prepared& prepared, const BenchArguments& arguments) {
  const auto read = read_results(arguments.from);
  if (!read) return std::unexpected(read.error());
  auto selected = reports::select(*read, arguments.jits, arguments.filter);
  if (!selected) return std::unexpected(selected.error());
  prepared.results = std::move(*selected);
  return {};
}

// Minutes of measuring are not for a file that cannot be written.
Result<void> check_directory(const std::string& file) {
  const fs::path directory = fs::path(file).parent_path();
  std::error_code error;
  if (file.empty() || directory.empty() || fs::is_directory(directory, error)) return {};
  return fail(fmt::format("{}: there is no such directory", directory.string()));
}

Result<Prepared> prepare(BenchArguments& arguments, const Session& session) {
  Prepared prepared;
  for (const std::string& file : {arguments.json, arguments.html}) {
    const auto checked = check_directory(file);
    if (!checked) return std::unexpected(checked.error());
  }
  // Who compares two JITs and names no others means these.
  if (arguments.jits == "all" && !arguments.compare.empty()) arguments.jits = arguments.compare;
  const auto done = arguments.from.empty() ? prepare_measuring(prepared, arguments, session)
                                           : prepare_reading(prepared, arguments);
  if (!done) return std::unexpected(done.error());
  if (!arguments.compare.empty()) {
    auto pair = read_pair(arguments.compare, prepared.results);
    if (!pair) return std::unexpected(pair.error());
    prepared.pair = std::move(*pair);
  }
  if (!arguments.baseline.empty()) {
    if (!arguments.wants_figures()) {
      return fail("--baseline compares counted figures: not with --only times");
    }
    auto baseline = read_results(arguments.baseline);
    if (!baseline) return std::unexpected(baseline.error());
    prepared.baseline = std::move(*baseline);
  }
  return prepared;
}

void say_no_times(BenchResults& results, const std::string& why) {
  for (auto& cell : results.cells) cell.no_times = why;
}

Result<void> measure_times(BenchResults& results, const BenchArguments& arguments,
                           const Session& session) {
  if (!arguments.wants_times()) {
    say_no_times(results, "not asked for");
    return {};
  }
  const Scratch scratch;
  if (scratch.path().empty()) {
    say_no_times(results, "no room for temporary files");
    return {};
  }
  return bench::measure_times(results, {.program = session.benchmark_program,
                                        .plugins = session.plugin_directory,
                                        .repetitions = arguments.repetitions,
                                        .seconds = arguments.seconds,
                                        .scratch = scratch.path()});
}

Result<void> write_pictures(const BenchResults& results, const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(fmt::format("{}: {}", directory, error.message()));
  for (std::size_t s = 0; s < results.shapes.size(); ++s) {
    const auto written =
        harness::write_file(fmt::format("{}/{}.svg", directory, results.shapes[s].name),
                            reports::bench_chart(results, s, reports::ChartKind::kDocument));
    if (!written) return written;
  }
  return {};
}

Result<void> write_files(const BenchResults& results, const BenchArguments& arguments) {
  if (!arguments.json.empty()) {
    const auto written = harness::write_file(arguments.json, reports::bench_json(results));
    if (!written) return written;
  }
  if (!arguments.html.empty()) {
    const auto written = harness::write_file(arguments.html, reports::bench_page(results));
    if (!written) return written;
  }
  return arguments.svg.empty() ? Result<void>{} : write_pictures(results, arguments.svg);
}

// What stdout holds: one JSON value, or the comparison that was asked for, or the table.
void print(const BenchResults& results, const Prepared& prepared, const Session& session,
           const std::optional<reports::BaselineComparison>& held) {
  std::string text;
  if (prepared.pair) {
    const auto& [first, second] = *prepared.pair;
    const auto comparison = reports::compare_layouts(results, first, second);
    if (comparison) text += reports::comparison_text(*comparison, first, second);
  }
  if (held) text += reports::baseline_text(*held);
  if (session.json) {
    fmt::print("{}", reports::bench_json(results));
    fmt::print(stderr, "{}", text);
    return;
  }
  fmt::print("{}", text.empty() ? reports::bench_text(results) : text);
}

// Where the harness failed, a line each. An error: the times were interrupted.
Result<std::vector<std::string>> measure(Prepared& prepared, const BenchArguments& arguments,
                                         const Session& session) {
  std::vector<std::string> failures;
  BenchResults& results = prepared.results;
  if (arguments.wants_figures()) {
    const unsigned jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
    failures = bench::measure_figures(results, prepared.shapes, prepared.jits, jobs);
  } else {
    for (auto& cell : results.cells) cell.no_figures = "not asked for";
  }
  const auto timed = measure_times(results, arguments, session);
  if (!timed) return std::unexpected(timed.error());
  if (std::ranges::any_of(results.cells, [](const auto& cell) { return !cell.times.empty(); })) {
    results.processor = bench::processor_name();
  }
  return failures;
}

int run(BenchArguments arguments, const Session& session) {
  auto prepared = prepare(arguments, session);
  if (!prepared) return unusable(prepared.error().str());
  std::vector<std::string> failures;
  if (arguments.from.empty()) {
    auto measured = measure(*prepared, arguments, session);
    if (!measured) return unusable(measured.error().str());
    failures = std::move(*measured);
  }
  const BenchResults& results = prepared->results;
  const auto written = write_files(results, arguments);
  if (!written) return unusable(written.error().str());
  std::optional<reports::BaselineComparison> held;
  if (prepared->baseline) {
    held = reports::compare_with(*prepared->baseline, results);
    if (held->compared == 0 && held->lost.empty()) {
      return unusable(
          fmt::format("{}: has no figures of these JITs and shapes", arguments.baseline));
    }
  }
  print(results, *prepared, session, held);
  for (const std::string& failure : failures) {
    fmt::print(stderr, "plumb: the harness failed: {}\n", printable(failure));
  }
  if (!failures.empty()) return kStatusHarnessFailed;
  return held && !held->holds() ? kStatusFinding : kStatusConforms;
}

void add_options(CLI::App& command, BenchArguments& arguments) {
  command.add_option("--jit", arguments.jits, "JIT names or globs, comma-separated, or all");
  command.add_option("--filter", arguments.filter, "names or globs of shapes, comma-separated");
  command.add_option("--only", arguments.only, "figures (counted, any architecture) or times")
      ->check(CLI::IsMember({"figures", "times"}));
  command.add_option("--json", arguments.json, "write the results")->type_name("FILE");
  command.add_option("--html", arguments.html, "write one page with a chart for each shape")
      ->type_name("FILE");
  command.add_option("--svg", arguments.svg, "write each chart as SHAPE.svg")->type_name("DIR");
  command.add_option("--compare", arguments.compare, "say what differs beyond the spread")
      ->type_name("A,B");
  command
      .add_option("--baseline", arguments.baseline,
                  "status 1 when a counted figure is greater than in this file of --json")
      ->type_name("FILE");
  command
      .add_option("--from", arguments.from, "show what this file of --json has; measure nothing")
      ->type_name("FILE");
  command.add_option("--repetitions", arguments.repetitions, "of every time")
      ->check(CLI::Range(1, 1000));
  command.add_option("--seconds", arguments.seconds, "that a repetition takes, at least")
      ->check(CLI::Range(0.0001, 60.0));
}

}  // namespace

void add_bench_command(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("bench", "What the frames of the JITs cost");
  auto arguments = std::make_shared<BenchArguments>();
  add_options(*command, *arguments);
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return run(*arguments, session); };
  });
}

}  // namespace plumb::tools
