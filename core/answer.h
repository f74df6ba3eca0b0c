// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace plumb {

// Why an invariant has nothing to say about a run.
enum class NotApplicableReason : std::uint8_t {
#define PLUMB_NOT_APPLICABLE(name, phrase) k##name,
#include "core/not_applicable.inc"
};

// The phrase of not_applicable.inc: it lives as long as the program.
[[nodiscard]] std::string_view reason_phrase(NotApplicableReason reason);
inline constexpr std::string_view kNotApplicablePhrases[] = {
#define PLUMB_NOT_APPLICABLE(name, phrase) phrase,
#include "core/not_applicable.inc"
};
inline constexpr std::size_t kNotApplicableReasons = std::size(kNotApplicablePhrases);

// What one invariant says about one run, without the violation itself.
struct RowAnswer {
  enum class Kind : std::uint8_t {
    kNotApplicable,  // it could not look, or there was nothing to look at
    kHeld,           // it looked, everywhere that it speaks of, and nothing was wrong
    kViolated,
  };
  Kind kind = Kind::kNotApplicable;
  NotApplicableReason reason = NotApplicableReason::kDepth;  // kNotApplicable: why

  bool operator==(const RowAnswer&) const = default;
};

}  // namespace plumb
