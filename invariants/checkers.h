// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "invariants/answer.h"
#include "invariants/view.h"

// One function per row of invariants.inc. A checker says "held" only when it has looked at all that
// its row speaks of, as far as the run went; that the run was stopped before its end, or that the
// depth shows too little, is for invariants::check() to say.
namespace plumb::invariants {

#define PLUMB_INVARIANT(function, name, group, needs, speaks, spreads, sentence) \
  [[nodiscard]] Answer check_##function(const View& view);
#include "invariants/invariants.inc"

}  // namespace plumb::invariants
