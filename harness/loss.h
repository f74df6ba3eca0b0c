// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/death.h"
#include "harness/activity.h"
#include "harness/judge.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {

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
