// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>

#include "core/finding.h"
#include "invariants/view.h"

// One function per row of invariants.inc: the first place where the run breaks it, or nothing.
namespace plumb::invariants {

#define PLUMB_INVARIANT(function, name, group, needs, follows_data, sentence) \
  [[nodiscard]] std::optional<Violation> check_##function(const View& view);
#include "invariants/invariants.inc"

}  // namespace plumb::invariants
