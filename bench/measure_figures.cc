// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <atomic>
#include <optional>
#include <tuple>

#include "bench/measure.h"
#include "harness/isolate.h"

namespace plumb::bench {

// What a child says of a cell.
struct FiguresOrReason {
  std::optional<harness::FrameFigures> figures;
  std::string reason;
};

}  // namespace plumb::bench

template <>
struct plumb::Members<plumb::bench::FiguresOrReason> {
  static constexpr std::tuple value{&plumb::bench::FiguresOrReason::figures,
                                    &plumb::bench::FiguresOrReason::reason};
};

namespace plumb::bench {
namespace {

constexpr double kSecondsPerCell = 30;

FiguresOrReason count(const BenchShape& shape, jit::Jit& jit,
                      std::atomic<harness::Activity>& activity) {
  activity = harness::Activity::kRunning;
  const auto figures = harness::count_figures(bench_case(shape), jit);
  activity = harness::Activity::kIdle;
  if (!figures) return {.figures = std::nullopt, .reason = figures.error().message};
  return {.figures = *figures, .reason = {}};
}

}  // namespace

BenchResults make_results(std::span<const BenchShape> shapes,
                          std::span<const std::unique_ptr<jit::Jit>> jits) {
  BenchResults results;
  for (const BenchShape& shape : shapes) {
    results.shapes.push_back(
        {.name = std::string(shape.name), .description = std::string(shape.description)});
  }
  for (const auto& jit : jits) results.layouts.push_back(reports::measured_layout(jit->info()));
  results.cells.resize(shapes.size() * jits.size());
  return results;
}

std::vector<std::string> measure_figures(BenchResults& results, std::span<const BenchShape> shapes,
                                         std::span<const std::unique_ptr<jit::Jit>> jits,
                                         unsigned jobs) {
  std::vector<std::string> failures;
  harness::run_isolated<FiguresOrReason>(
      {.items = results.cells.size(),
       .jobs = jobs,
       .seconds_per_item = kSecondsPerCell,
       .work = [&](std::uint64_t item, unsigned,
                   std::atomic<harness::Activity>& activity) -> std::optional<FiguresOrReason> {
         return count(shapes[item / jits.size()], *jits[item % jits.size()], activity);
       },
       .on_result =
           [&](std::uint64_t item, FiguresOrReason result) {
             results.cells[item].figures = result.figures;
             results.cells[item].no_figures = std::move(result.reason);
           },
       .on_loss =
           [&](std::uint64_t item, const harness::Loss& loss) {
             results.cells[item].no_figures = loss.death.str();
             if (!harness::is_our_failure(loss)) return;
             failures.push_back(fmt::format("{} under {}: {}", shapes[item / jits.size()].name,
                                            jits[item % jits.size()]->info().name,
                                            loss.death.str()));
           }});
  return failures;
}

}  // namespace plumb::bench
