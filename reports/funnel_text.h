// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/funnel.h"

namespace plumb::reports {

// Parts of a report, indented by two columns.

// A line for each stage, with its share; what the JIT cannot do is "n/a".
[[nodiscard]] std::string funnel_text(const harness::FunnelCounts& counts,
                                      std::uint64_t capabilities);

// "not applicable", "undefined", and why, most frequent first. Empty: there were none.
[[nodiscard]] std::string reasons_text(std::string_view what, const harness::ReasonCounts& reasons);

// How many second opinions were asked for and given, and why not all. Empty: none was asked for.
[[nodiscard]] std::string opinions_text(const harness::Funnel& funnel);

// How many interrupts came and how many walks were judged. Empty: none was.
[[nodiscard]] std::string walks_text(const harness::FunnelCounts& counts);

// The table of invariants: over how many cases each held and was violated, to how many it did not
// apply, and why. Empty: nothing was compared.
[[nodiscard]] std::string invariants_text(const harness::Funnel& funnel);

}  // namespace plumb::reports
