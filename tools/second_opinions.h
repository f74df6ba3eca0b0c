// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "core/result.h"
#include "harness/check.h"
#include "jit_under_test/second_opinion.h"
#include "tools/session.h"

namespace plumb::tools {

// The interpreters of the plugin directories, where second opinions are wanted. Demanding them is
// unusable when there is none for any of the JITs; `if_there` asks where it can be done.
[[nodiscard]] Result<std::vector<std::unique_ptr<jit::Interpreter>>> open_second_opinions(
    const Session& session, harness::JitList jits, bool demanded, bool if_there);

}  // namespace plumb::tools
