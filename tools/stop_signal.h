// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace plumb::tools {

// From now on the first SIGINT or SIGTERM asks for an end in order; the next one ends the process
// at once. A signal that the caller has ignored (nohup, a background job) stays ignored.
void catch_stop_signals();

[[nodiscard]] bool stop_was_asked_for();

}  // namespace plumb::tools
