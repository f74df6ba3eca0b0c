// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>

#include "core/result.h"
#include "jit_under_test/plugin_table.h"

struct plumb_v1_plugin;

namespace plumb::jit {

// A plugin that was built before ABI 2, behind the functions of now. What ABI 1 had no word for is
// unknown, but for what it took for granted: the BPF stack lies in the native frame, and a JIT
// takes PLUMB_CAN_TAKE_BASE.
[[nodiscard]] Result<std::unique_ptr<PluginTable>> read_v1_table(const plumb_v1_plugin* plugin);

}  // namespace plumb::jit
