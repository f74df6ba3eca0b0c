// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "core/result.h"

namespace plumb::harness {

// Calls what in a child process (isolate.h) and returns the line that it returned, so that code we
// do not trust cannot take us down. An error when the child ends before that, says nothing or takes
// longer than the seconds.
[[nodiscard]] Result<std::string> call_in_child(const std::function<std::string()>& what,
                                                unsigned seconds);

}  // namespace plumb::harness
