// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/result.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// What a plugin says about itself, checked against the ranges that plugin.h states: an error names
// the field, its value and the range. What it does not say is unknown.
[[nodiscard]] Result<JitInfo> read_info(const plumb_plugin_info* from);

// Sets contract, registers and landing of an info whose architecture is set. Null: all unknown.
[[nodiscard]] Result<void> read_contract(const plumb_contract* from, JitInfo& info);

}  // namespace plumb::jit
