// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace plumb::tools {

// A fuzz target as a process with its children, in a process group of its own: all of them end when
// run_target() returns, and when this process dies, whatever it dies of.
struct TargetCommand {
  std::vector<std::string> arguments;  // the first is the target's path
  std::string log;                     // stdout and stderr
  double seconds = 0;                  // it is stopped then; 0: never
  // About twice a second, with the seconds since the start.
  std::function<void(double seconds)> on_progress;
};

struct TargetEnd {
  int status = 0;        // 0 it said that all is well; else its status, or 128 + its signal
  bool stopped = false;  // its time was over
  bool interrupted =
      false;              // this process got SIGINT or SIGTERM, which was passed on to the target
  bool fuzzed = false;    // libFuzzer says in the log that fuzzing went on to its end
  std::string last_line;  // last line of the log that is no part of a funnel, or how it ended
};

[[nodiscard]] TargetEnd run_target(const TargetCommand& command);

}  // namespace plumb::tools
