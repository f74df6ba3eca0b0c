// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"

namespace plumb::jit::trees {

// Holds back SIGINT, SIGTERM and SIGHUP while it lives, so that what was begun is cleaned up. One
// that arrived stops run_process(); one that nobody saw takes effect when the last object dies.
class InterruptsHeld {
 public:
  InterruptsHeld();
  InterruptsHeld(const InterruptsHeld&) = delete;
  InterruptsHeld& operator=(const InterruptsHeld&) = delete;
  ~InterruptsHeld();

 private:
  sigset_t previous_{};
};

// The absolute path of the first of the programs that PATH has, or empty.
[[nodiscard]] std::string find_program(const std::vector<std::string>& names);

// Runs a program, given by its path and its arguments, without a shell; what it prints is appended
// to the file log. Its exit status. Needs InterruptsHeld; an interrupt ends the program and all
// that it started, and is an error.
[[nodiscard]] Result<int> run_process(const std::vector<std::string>& command,
                                      const std::string& log);

// Calls a function in a child process and returns the line that it returned, so that code we do not
// trust cannot take us down; an error when it ends without one or takes longer than the seconds.
using InChild =
    std::function<Result<std::string>(const std::function<std::string()>& what, unsigned seconds)>;

}  // namespace plumb::jit::trees
