// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/interrupt_rows.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <utility>

#include "core/check.h"

namespace plumb::bench {
namespace {

// So many interrupts between two looks at the clock.
constexpr std::int64_t kBatch = 10'000;
constexpr std::size_t kPairs = 31;

double seconds_of_thread() {
  timespec now{};
  PLUMB_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double time_of(const InterruptEntries& entries, InterruptMark mark) {
  const double begin = seconds_of_thread();
  entries.repeat(mark, kBatch);
  return seconds_of_thread() - begin;
}

// Every other pair begins with the one without a mark.
double ratio_to_unmarked(const InterruptEntries& entries, InterruptMark mark) {
  std::array<double, kPairs> ratios{};
  for (std::size_t i = 0; i < kPairs; ++i) {
    std::pair<InterruptMark, double> first{mark, 0};
    std::pair<InterruptMark, double> second{InterruptMark::kNothing, 0};
    if (i % 2 == 1) std::swap(first, second);
    first.second = time_of(entries, first.first);
    second.second = time_of(entries, second.first);
    if (i % 2 == 1) std::swap(first, second);
    ratios[i] = first.second / second.second;
  }
  std::ranges::nth_element(ratios, ratios.begin() + kPairs / 2);
  return ratios[kPairs / 2];
}

void measure(benchmark::State& state, const InterruptEntries& entries, InterruptMark mark) {
  entries.repeat(mark, kBatch);  // caches and predictors know it now
  while (state.KeepRunningBatch(kBatch)) entries.repeat(mark, kBatch);
  state.counters["code_bytes"] = static_cast<double>(entries.code(mark).size);
  if (mark == InterruptMark::kNothing) return;
  state.counters["to_unmarked"] = ratio_to_unmarked(entries, mark);
}

}  // namespace

int register_interrupt_rows(const InterruptEntries& entries) {
  for (const InterruptMarkInfo& info : interrupt_marks()) {
    benchmark::RegisterBenchmark(
        fmt::format("interrupt/{}", info.name).c_str(),
        [&entries, mark = info.id](benchmark::State& state) { measure(state, entries, mark); });
  }
  return static_cast<int>(interrupt_marks().size());
}

}  // namespace plumb::bench
