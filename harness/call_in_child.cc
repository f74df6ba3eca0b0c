// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/call_in_child.h"

#include <fmt/format.h>

#include "harness/isolate.h"

namespace plumb::harness {

Result<std::string> call_in_child(const std::function<std::string()>& what, unsigned seconds) {
  const auto line =
      run_isolated<std::string>(seconds, [&what](std::atomic<Activity>&) { return what(); });
  if (line && !line->empty()) return *line;
  if (line) return fail("it ended without a word");
  const Death& death = line.error().death;
  if (death.kind == Death::Kind::kTimeout)
    return fail(fmt::format("not ready after {} s", seconds));
  return fail(death.str());
}

}  // namespace plumb::harness
