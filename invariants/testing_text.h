// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "invariants/invariants.h"

namespace plumb::invariants {

// What tests show when a run is judged otherwise than expected.
[[nodiscard]] inline std::string listing(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& v : violations) {
    text += std::string(v.invariant) + " (" + v.role + "): " + v.message + "\n";
  }
  return text;
}

// The answer of the row of that name.
[[nodiscard]] inline RowAnswer answer_of(const Checked& checked, std::string_view invariant) {
  const auto table = invariant_table();
  const auto row = std::ranges::find(table, invariant, &InvariantInfo::name);
  return checked.answers.at(static_cast<std::size_t>(row - table.begin()));
}

}  // namespace plumb::invariants
