// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/second_opinions.h"

#include <algorithm>

#include "harness/second_opinion.h"

namespace plumb::tools {

Result<std::vector<std::unique_ptr<jit::Interpreter>>> open_second_opinions(const Session& session,
                                                                            harness::JitList jits,
                                                                            bool demanded,
                                                                            bool if_there) {
  if (!demanded && !if_there) return {};
  auto interpreters = jit::open_interpreters(session.plugin_directory);
  if (!interpreters || !demanded) return interpreters;
  const bool any = std::ranges::any_of(jits, [&](const auto& jit) {
    return harness::find_interpreter(*interpreters, jit->info().name) != nullptr;
  });
  if (!any) return fail("no interpreter for a second opinion on " + jits.front()->info().name);
  return interpreters;
}

}  // namespace plumb::tools
