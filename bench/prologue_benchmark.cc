// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a frame layout costs: every shape (shapes.inc) under every x86-64 JIT, run natively. Rows
// are called shape/jit; overhead/loop is what the measuring loop itself costs, and part of every
// other row. Beside the time stand the counted figures (harness/frame_figures.h) that are not 0.
// And what it costs to mark an interrupt's frame: interrupt/MARK (interrupt_rows.h); where no
// shapes are chosen, or with --plumb_interrupts=all.
//
//   prologue_benchmark [--plumb_jit=GLOBS] [--plumb_shape=GLOBS] [--plumb_plugins=DIR[:DIR]...]
//                      [--plumb_interrupts=all|none] [Google Benchmark's options]
//
// Exit status: 0; 1 when code of a JIT did not do what it should (the other rows are there); 2 when
// the arguments make no sense or native code cannot run here.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/interrupt_entries.h"
#include "bench/interrupt_rows.h"
#include "bench/native_row.h"
#include "bench/shapes.h"
#include "core/capability.h"
#include "jit_under_test/jit.h"
#include "machine/native/hardware_counters.h"
#include "machine/native/native_machine.h"

namespace plumb::bench {
namespace {

using Jits = std::vector<std::unique_ptr<jit::Jit>>;

struct Options {
  std::string jits = "all";
  std::string shapes = "all";
  std::string plugins;
  std::string interrupts;
};

// Takes our options out of the arguments.
Options take_options(std::vector<char*>& arguments) {
  Options options;
  options.plugins =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plugins").string();
  const std::pair<std::string_view, std::string*> names[] = {
      {"--plumb_jit=", &options.jits},
      {"--plumb_shape=", &options.shapes},
      {"--plumb_plugins=", &options.plugins},
      {"--plumb_interrupts=", &options.interrupts},
  };
  std::erase_if(arguments, [&](const char* argument) {
    for (const auto& [name, value] : names) {
      if (!std::string_view(argument).starts_with(name)) continue;
      *value = argument + name.size();
      return true;
    }
    return false;
  });
  if (options.interrupts.empty()) options.interrupts = options.shapes == "all" ? "all" : "none";
  return options;
}

// Is the JIT named as such, and not by a glob?
bool is_named(const std::string& globs, const std::string& name) {
  return ("," + globs + ",").find("," + name + ",") != std::string::npos;
}

// Those for x86-64: our own layouts, oldest first, then plugins.
Result<Jits> choose_jits(const Options& options) {
  auto jits = jit::open_jits(options.plugins, options.jits);
  if (!jits) return jits;
  for (const auto& jit : *jits) {
    const jit::JitInfo& info = jit->info();
    if (info.arch == Arch::kX86_64 || !is_named(options.jits, info.name)) continue;
    return fail(fmt::format("{} makes code for {}: only x86-64 code can be timed", info.name,
                            arch_name(info.arch)));
  }
  std::erase_if(*jits, [](const auto& jit) { return jit->info().arch != Arch::kX86_64; });
  if (jits->empty()) return fail(fmt::format("no JIT of '{}' is for x86-64", options.jits));
  // Our own stand behind the plugins.
  const auto own = std::ranges::find_if(
      *jits, [](const auto& jit) { return jit->info().name.starts_with("reference:"); });
  std::ranges::rotate(*jits, own);
  return jits;
}

using Repeat = machine::NativeStop (machine::NativeCode::*)(std::uint64_t);

// So many calls between two looks at the clock.
constexpr std::int64_t kBatch = 10'000;

void repeat(benchmark::State& state, machine::NativeCode& code, Repeat what) {
  while (state.KeepRunningBatch(kBatch)) {
    const machine::NativeStop stop = (code.*what)(kBatch);
    if (stop.returned()) continue;
    state.SkipWithError(stop.detail.c_str());
    return;
  }
}

// By the processor, the loop included; where it has no counters, no columns. Apart from the time,
// for starting and stopping takes some.
void count(benchmark::State& state, machine::NativeCode& code, Repeat what) {
  auto counters = machine::HardwareCounters::open();
  if (!counters) return;
  counters->start();
  const machine::NativeStop stop = (code.*what)(kBatch);
  const auto counted = counters->stop();
  if (!counted || !stop.returned()) return;
  const auto per_call = [](std::uint64_t total) {
    return static_cast<double>(total) / static_cast<double>(kBatch);
  };
  state.counters["processor_instructions"] = per_call(counted->instructions);
  state.counters["processor_cycles"] = per_call(counted->cycles);
}

// Rows that were checked before the first measurement of each.
class Suite {
 public:
  explicit Suite(Jits jits) : jits_(std::move(jits)) {}

  // Returns how many rows there are.
  int register_rows(const std::vector<BenchShape>& shapes) {
    int rows = 0;
    for (const BenchShape& shape : shapes) {
      for (const auto& jit : jits_) {
        if ((shape.needs & ~jit->info().capabilities) != 0) continue;
        const std::string name = fmt::format("{}/{}", shape.name, jit->info().name);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [this, name, shape, jit = jit.get()](benchmark::State& state) {
                                       measure(state, name, bench_case(shape), *jit);
                                     });
        ++rows;
      }
    }
    if (rows != 0) {
      benchmark::RegisterBenchmark("overhead/loop",
                                   [this](benchmark::State& state) { measure_loop(state); });
    }
    return rows;
  }

  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void measure(benchmark::State& state, const std::string& name, const Case& value, jit::Jit& jit) {
    const auto found = checked_.find(name);
    const RowCheck& check = found != checked_.end()
                                ? found->second
                                : checked_.emplace(name, check_row(value, jit)).first->second;
    if (!check.problem.empty()) return skip(state, check.problem);
    for (const harness::FigureRow& figure : harness::kFigures) {
      state.counters[std::string(figure.name)] = static_cast<double>(check.figures.*figure.member);
    }
    run(state, value, jit, &machine::NativeCode::repeat);
  }

  void measure_loop(benchmark::State& state) {
    run(state, bench_case(bench_shapes().front()), *jits_.front(),
        &machine::NativeCode::repeat_empty);
  }

  void run(benchmark::State& state, const Case& value, jit::Jit& jit, Repeat what) {
    const auto native = machine::NativeMachine::open();
    if (!native) return skip(state, native.error().message);
    const jit::LoadOutcome outcome = jit.load(value);
    if (outcome.image == nullptr) return skip(state, outcome.reason);
    auto code = (*native)->load(value, outcome.image->image(), machine::NativeHelpers::kQuick);
    if (!code) return skip(state, code.error().message);
    static_cast<void>(((*code).*what)(kBatch));  // caches and predictors know it now
    count(state, *code, what);
    repeat(state, *code, what);
    if (state.error_occurred()) failed_ = true;
  }

  void skip(benchmark::State& state, const std::string& why) {
    failed_ = true;
    state.SkipWithError(why.c_str());
  }

  Jits jits_;
  std::map<std::string, RowCheck> checked_;
  bool failed_ = false;
};

int usage(const std::string& message) {
  std::fputs(fmt::format("prologue_benchmark: {}\n", message).c_str(), stderr);
  return 2;
}

int run(std::vector<char*> arguments) {
  const Options options = take_options(arguments);
  // Defaults: whoever gives the same option overrides them.
  std::string defaults[] = {"--benchmark_min_time=0.02", "--benchmark_repetitions=5",
                            "--benchmark_display_aggregates_only=true"};
  for (std::string& option : defaults) arguments.insert(arguments.begin() + 1, option.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  if (const auto native = machine::NativeMachine::open(); !native) {
    return usage(native.error().message);
  }
  const auto shapes = choose_bench_shapes(options.shapes);
  if (!shapes) return usage(shapes.error().message);
  if (options.interrupts != "all" && options.interrupts != "none") {
    return usage(fmt::format("--plumb_interrupts is all or none, not \"{}\"", options.interrupts));
  }
  auto jits = choose_jits(options);
  if (!jits) return usage(jits.error().message);
  Suite suite(*std::move(jits));
  if (suite.register_rows(*shapes) == 0) {
    return usage(fmt::format("no JIT of '{}' takes a shape of '{}'", options.jits, options.shapes));
  }
  std::optional<InterruptEntries> entries;
  if (options.interrupts == "all") {
    auto made = InterruptEntries::make();
    if (!made) return usage(made.error().message);
    register_interrupt_rows(entries.emplace(*std::move(made)));
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return suite.failed() ? 1 : 0;
}

}  // namespace
}  // namespace plumb::bench

int main(int argc, char** argv) { return plumb::bench::run({argv, argv + argc}); }
