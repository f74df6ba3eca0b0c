// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "core/case_text.h"
#include "core/check.h"
#include "harness/frame_figures.h"

namespace plumb::testing {

// "instructions 7, frame_instructions 6, ...": all that are not 0.
inline std::string text_of(const harness::FrameFigures& figures) {
  std::string text;
  for (const harness::FigureRow& row : harness::kFigures) {
    if (figures.*row.member == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", row.name, figures.*row.member);
  }
  return text;
}

// The same of a case under a JIT, or why there are none.
inline std::string figures_text(std::string_view case_text, const std::string& plugins,
                                const std::string& jit) {
  const auto value = parse_case(case_text);
  PLUMB_CHECK(value.has_value());
  const auto jits = jit::open_jits(plugins, jit);
  if (!jits) return jits.error().str();
  const auto figures = harness::count_figures(*value, *jits->front());
  return figures ? text_of(*figures) : figures.error().str();
}

inline constexpr std::string_view kEmpty = R"(.case 1
.program entry
.function main
        r0 = 0
        exit
)";

}  // namespace plumb::testing
