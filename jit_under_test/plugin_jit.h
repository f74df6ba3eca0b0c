// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/placement.h"
#include "core/result.h"
#include "jit_under_test/jit.h"

namespace plumb::jit {

// Where a plugin's arena is to be.
struct ArenaPlace {
  int memory = -1;          // a file, mapped shared; -1: memory of this process alone
  std::optional<Range> at;  // nothing: where the plugin wants it, or somewhere else (jit.h)
};

struct OpenedPlugin {
  std::unique_ptr<Jit> jit;
  Range arena;
};

// A plugin in this process.
[[nodiscard]] Result<OpenedPlugin> open_plugin_at(const std::string& path, const ArenaPlace& place);

}  // namespace plumb::jit
