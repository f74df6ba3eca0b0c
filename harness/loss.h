// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "harness/activity.h"
#include "harness/judge.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {

// How a child process ended before it had said that it was done.
struct Death {
  enum class Kind : std::uint8_t {
    kExit,         // with any status, 0 too: there was no end mark
    kSignal,       // of which it died
    kTimeout,      // it was ended because it did not end
    kCheckFailed,  // PLUMB_CHECK: the harness itself is wrong
    kDamaged,      // what it sent, or said to have done, cannot be
  };
  Kind kind = Kind::kExit;
  int number = 0;  // signal or exit status

  bool operator==(const Death&) const = default;
  [[nodiscard]] std::string str() const;  // "killed by signal 11 (SEGV)"
};

// What is known of an item that has no result, because the child that did it ended.
struct Loss {
  Activity activity = Activity::kIdle;  // of the child, when it ended
  Death death{};

  bool operator==(const Loss&) const = default;
};

// Did the harness fail? Else what was under test ended the process, which is a finding.
[[nodiscard]] bool is_our_failure(const Loss& loss);

// What is to be said of a case that was lost under this JIT: a finding, and how far the case came;
// where the harness failed, that nobody judged it.
[[nodiscard]] Outcome outcome_of(const Loss& loss, const jit::JitInfo& jit);

}  // namespace plumb::harness
