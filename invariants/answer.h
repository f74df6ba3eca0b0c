// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <variant>

#include "core/answer.h"
#include "core/finding.h"

namespace plumb::invariants {

// It looked, everywhere that it speaks of, and nothing was wrong.
struct Held {
  bool operator==(const Held&) const = default;
};

// It could not look everywhere, or there was nothing to look at.
struct NotApplicable {
  NotApplicableReason reason = NotApplicableReason::kDepth;

  bool operator==(const NotApplicable&) const = default;
};

// What a checker answers: the first place where the run breaks the invariant, or that it holds, or
// why it says nothing.
using Answer = std::variant<NotApplicable, Held, Violation>;

[[nodiscard]] inline Answer not_applicable(NotApplicableReason reason) {
  return NotApplicable{reason};
}
// Held where there was something to look at.
[[nodiscard]] inline Answer held_if(bool looked, NotApplicableReason otherwise) {
  if (looked) return Held{};
  return NotApplicable{otherwise};
}

}  // namespace plumb::invariants
