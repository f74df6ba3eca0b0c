// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
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

// The first reason why a checker could not look somewhere.
class Unseen {
 public:
  void note(NotApplicableReason reason) {
    if (!reason_) reason_ = reason;
  }
  void note_if(bool unseen, NotApplicableReason reason) {
    if (unseen) note(reason);
  }
  void note(const Unseen& other) {
    if (other.reason_) note(*other.reason_);
  }
  [[nodiscard]] bool any() const { return reason_.has_value(); }
  // Held where there was something to look at, and all of it was seen.
  [[nodiscard]] Answer held_if(bool looked, NotApplicableReason otherwise) const {
    if (reason_) return NotApplicable{*reason_};
    return invariants::held_if(looked, otherwise);
  }

 private:
  std::optional<NotApplicableReason> reason_;
};

}  // namespace plumb::invariants
