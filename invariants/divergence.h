// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/finding.h"
#include "invariants/view.h"

namespace plumb::invariants {

// Which invariant the first difference between the two traces speaks of. Nothing when the run took
// more tail calls than it may: then the rest of its trace is a consequence.
enum class DivergedIn : std::uint8_t { kNothing, kTailCallCount, kRefusal, kEvents };

[[nodiscard]] DivergedIn diverges_in(const View& view);

// "call in entry.main at slot 4, the oracle has tail call refused ..."
[[nodiscard]] std::string divergence_text(const View& view);

// The oracle's value for people: "0x7", "R10-8 of activation 2".
[[nodiscard]] std::string value_text(const Value& value);
// A native number beside what it should be: what should be a pointer relative to that pointer, so
// that no address of the arena is shown.
[[nodiscard]] std::string native_text(const View& view, const Value& expected, std::uint64_t seen);

[[nodiscard]] Violation at_divergence(const View& view, std::string_view invariant,
                                      std::string message);

}  // namespace plumb::invariants
