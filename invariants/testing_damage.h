// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <vector>

#include "core/arch.h"
#include "invariants/testing_run.h"

namespace plumb::invariants {

inline constexpr Arch kBuiltArchs[] = {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64};

// One way to damage a good run (testing_run.h), for each row of the table.
struct Damage {
  const char* invariant;  // the first one that the run then breaks
  std::function<void(BuiltRun&)> apply;
  std::vector<Arch> not_on{};  // where the row never says anything
};

[[nodiscard]] const std::vector<Damage>& damages();

}  // namespace plumb::invariants
