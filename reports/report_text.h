// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "reports/report.h"

namespace plumb::reports {

struct TextOptions {
  bool verbose = false;  // everything about every JIT: funnel, invariants, each case
  bool colour = false;   // for a terminal
};

// Few enough JITs for a paragraph each.
inline constexpr std::size_t kFewJits = 3;

// For people, lines of at most 120 columns where texts allow it: a paragraph for each JIT (when
// they are few, or all is asked for), the findings, what could not be tested, and for several JITs
// a table, a line each. Texts that somebody else made are escaped (core/printable.h).
[[nodiscard]] std::string report_text(const Report& report, const TextOptions& options);

// What is wrong beside findings, a line each, for stderr.
[[nodiscard]] std::string complaints_text(const Report& report);

}  // namespace plumb::reports
