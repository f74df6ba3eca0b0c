// SPDX-License-Identifier: GPL-2.0-or-later
//
// What each stage of one judged comparison costs, and the ratio that DESIGN figures ask for: fully
// judged comparisons against the bare emulator on the same images. Ratios within one run mean
// something on a noisy machine; absolute figures less so.
//
//   build/release/pipeline_benchmark [--plumb_jit=linux-6.12-x86_64] [Google Benchmark options]

#include <benchmark/benchmark.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "invariants/invariants.h"
#include "jit_under_test/jit.h"
#include "machine/machine.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"

namespace plumb::bench {
namespace {

constexpr std::size_t kCases = 2000;
constexpr std::uint64_t kSeed = 1;

// Cases that the JIT takes and the oracle defines, made once.
struct Workload {
  std::unique_ptr<jit::Jit> jit;
  std::unique_ptr<machine::Machine> machine;
  std::vector<std::uint64_t> seeds;
  std::vector<Case> cases;
  std::vector<Execution> executions;

  explicit Workload(const std::string& name) {
    const auto plugins = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plugins";
    auto opened = jit::open_jits(plugins.string(), name);
    PLUMB_CHECK(opened.has_value() && opened->size() == 1);
    jit = std::move(opened->front());
    machine = machine::make_machine(jit->info().arch);
    for (std::uint64_t n = 0; cases.size() < kCases; ++n) add(nth_seed(kSeed, n));
  }

  void add(std::uint64_t seed) {
    Case value = gen::generate(seed);
    Execution execution = oracle::run(value, jit->info().contract);
    if (!execution.defined) return;
    if ((oracle::required_capabilities(value) & ~jit->info().capabilities) != 0) return;
    if (jit->load(value).status != jit::LoadOutcome::Status::kLoaded) return;
    seeds.push_back(seed);
    cases.push_back(std::move(value));
    executions.push_back(std::move(execution));
  }
};

Workload& workload(const std::string& name = {}) {
  static Workload instance(name);
  return instance;
}

// Processor time of this thread: a neighbour's load does not count.
double now() {
  timespec time{};
  PLUMB_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Times `timed` for each case of the workload in turn; `prepare` runs outside of the time.
template <typename Prepare, typename Timed>
void each_case(benchmark::State& state, Prepare prepare, Timed timed) {
  Workload& load = workload();
  std::size_t i = 0;
  for (auto _ : state) {
    auto prepared = prepare(load, i);
    const double begin = now();
    timed(load, i, prepared);
    state.SetIterationTime(now() - begin);
    i = (i + 1) % load.cases.size();
  }
  state.SetItemsProcessed(state.iterations());
}

constexpr auto kNothing = [](Workload&, std::size_t) { return 0; };
constexpr auto kLoaded = [](Workload& load, std::size_t i) {
  return load.jit->load(load.cases[i]);
};

void generate(benchmark::State& state) {
  each_case(state, kNothing, [](Workload& load, std::size_t i, int) {
    benchmark::DoNotOptimize(gen::generate(load.seeds[i]));
  });
}

void interpret(benchmark::State& state) {
  each_case(state, kNothing, [](Workload& load, std::size_t i, int) {
    benchmark::DoNotOptimize(oracle::run(load.cases[i], load.jit->info().contract));
  });
}

void compile(benchmark::State& state) {
  each_case(state, kNothing, [](Workload& load, std::size_t i, int) {
    benchmark::DoNotOptimize(load.jit->load(load.cases[i]));
  });
}

void run_bare(benchmark::State& state) {
  each_case(state, kLoaded, [](Workload& load, std::size_t i, jit::LoadOutcome& outcome) {
    benchmark::DoNotOptimize(load.machine->run_bare(load.cases[i], outcome.image->image(), {}));
  });
}

void run_at(benchmark::State& state, Depth depth) {
  each_case(state, kLoaded, [depth](Workload& load, std::size_t i, jit::LoadOutcome& outcome) {
    benchmark::DoNotOptimize(&load.machine->run(load.cases[i], outcome.image->image(),
                                                {.depth = depth, .block_budget = 1'000'000}));
  });
}

void run_fast(benchmark::State& state) { run_at(state, Depth::kFast); }
void run_full(benchmark::State& state) { run_at(state, Depth::kFull); }

// Everything that plumb fuzz does for one case, on one core.
void judge(benchmark::State& state) {
  each_case(state, kNothing, [](Workload& load, std::size_t i, int) {
    const Case value = gen::generate(load.seeds[i]);
    const Execution execution = oracle::run(value, load.jit->info().contract);
    const jit::LoadOutcome outcome = load.jit->load(value);
    const Image& image = outcome.image->image();
    const MachineRun& run = load.machine->run(value, image, {});
    const auto checked = invariants::check({.value = &value,
                                            .image = &image,
                                            .execution = &execution,
                                            .run = &run,
                                            .depth = Depth::kFast});
    benchmark::DoNotOptimize(checked.violations.size());
  });
}

BENCHMARK(generate)->UseManualTime();
BENCHMARK(interpret)->UseManualTime();
BENCHMARK(compile)->UseManualTime();
BENCHMARK(run_bare)->UseManualTime();
BENCHMARK(run_fast)->UseManualTime();
BENCHMARK(run_full)->UseManualTime();
BENCHMARK(judge)->UseManualTime();

// Takes --plumb_jit=NAME out of the arguments.
std::string jit_argument(int& argc, char** argv) {
  constexpr std::string_view kPrefix = "--plumb_jit=";
  std::string name = "linux-6.12-x86_64";
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(kPrefix)) {
      name = argument.substr(kPrefix.size());
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return name;
}

}  // namespace
}  // namespace plumb::bench

int main(int argc, char** argv) {
  plumb::bench::workload(plumb::bench::jit_argument(argc, argv));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
