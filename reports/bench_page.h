// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "reports/bench_results.h"

namespace plumb::reports {

// One HTML page with a chart for each shape (bench_chart.h). It needs no other file and no script.
[[nodiscard]] std::string bench_page(const BenchResults& results);

}  // namespace plumb::reports
