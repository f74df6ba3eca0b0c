// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "reports/bench_results.h"

namespace plumb::reports {

// Colours of the charts as CSS variables of :root, light and dark by what the reader prefers, and
// the classes that use them.
[[nodiscard]] std::string_view bench_chart_style();

// One chart: the layouts from top to bottom, in the order of the results; from left to right
// instructions (frame and body), bytes of stack, bytes of code, time with its spread. An svg
// element that wants the style; as a document it holds the style and has a background and a title.
enum class ChartKind : std::uint8_t { kElement, kDocument };
[[nodiscard]] std::string bench_chart(const BenchResults& results, std::size_t shape,
                                      ChartKind kind);

}  // namespace plumb::reports
