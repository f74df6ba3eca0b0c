// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "reports/bench_results.h"

namespace plumb::reports {

inline constexpr int kBenchVersion = 1;

// One object: version, command, processor, loop_times_ns, shapes (name, description), layouts
// (name, arch, era) and results: layout, shape, figures (an object, or null and then no_figures),
// times_ns (a list: the repetitions), and median_ns or no_times. Ends in a line feed.
[[nodiscard]] std::string bench_json(const BenchResults& results);

// Reads such a text. An error: it is none, or of another version, or names a layout or a shape that
// it does not list.
[[nodiscard]] Result<BenchResults> read_bench_json(std::string_view text, const std::string& file);

}  // namespace plumb::reports
