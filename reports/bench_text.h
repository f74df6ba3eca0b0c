// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>

#include "reports/bench_comparison.h"
#include "reports/bench_results.h"

namespace plumb::reports {

// For a terminal: a table for each shape, a line for each layout that takes it, then which do not.
[[nodiscard]] std::string bench_text(const BenchResults& results);

// A line for each shape: instructions, stack and code of both, the medians of the times, and by how
// much the times differ if they do beyond their spread; then "also", the other figures that differ.
[[nodiscard]] std::string comparison_text(std::span<const ShapeComparison> shapes,
                                          const std::string& first, const std::string& second);

// A line for each figure that grew, one for those that shrank, one that says how much was compared.
[[nodiscard]] std::string baseline_text(const BaselineComparison& comparison);

}  // namespace plumb::reports
