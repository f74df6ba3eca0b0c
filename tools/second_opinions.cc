// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/second_opinions.h"

#include <algorithm>

#include "harness/call_in_child.h"
#include "harness/second_opinion.h"
#include "jit_under_test/isolated/strangers.h"

namespace plumb::tools {
namespace {

constexpr unsigned kSecondsToOpen = 10;

// An interpreter that others built may end the process that opens it. What it does later it does in
// a process that judges.
Result<void> opens_in_a_child(const std::string& path) {
  if (jit::is_ours(path)) return {};
  const auto line = harness::call_in_child(
      [&path] {
        const auto opened = jit::open_interpreter(path);
        return opened ? std::string("open") : "no: " + opened.error().message;
      },
      kSecondsToOpen);
  if (line) return {};  // opening it says why it is none
  return std::unexpected(Error{.file = path,
                               .line = 0,
                               .column = 0,
                               .message = "it cannot be opened: " + line.error().message});
}

}  // namespace

Result<std::vector<std::unique_ptr<jit::Interpreter>>> open_second_opinions(const Session& session,
                                                                            harness::JitList jits,
                                                                            bool demanded,
                                                                            bool if_there) {
  if (!demanded && !if_there) return {};
  auto interpreters = jit::open_interpreters(session.plugin_directory, opens_in_a_child);
  if (!interpreters || !demanded) return interpreters;
  const bool any = std::ranges::any_of(jits, [&](const auto& jit) {
    return harness::find_interpreter(*interpreters, jit->info().name) != nullptr;
  });
  if (!any) return fail("no interpreter for a second opinion on " + jits.front()->info().name);
  return interpreters;
}

}  // namespace plumb::tools
