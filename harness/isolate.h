// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "harness/activity.h"

namespace plumb::harness {

// How a child process ended before it was done.
struct Death {
  enum class Kind : std::uint8_t { kSignal, kExit, kTimeout };
  Kind kind = Kind::kExit;
  int number = 0;  // signal or exit status

  bool operator==(const Death&) const = default;
  [[nodiscard]] std::string str() const;  // "killed by signal 11"
};

// Status with which PLUMB_CHECK ends a process: the harness itself is wrong.
inline constexpr int kCheckFailedStatus = 3;

// Work on numbered items, in child processes: an item that kills its process costs a fork and is
// reported; the others go on. SIGINT and SIGTERM pass the children by: a terminal and timeout(1)
// send them to the whole process group, and the parent decides. No child outlives its parent.
struct IsolatedLoop {
  std::uint64_t items = 0;         // how many; UINT64_MAX: until on_tick says stop
  unsigned jobs = 1;               // processes at a time; job j does groups j, j + jobs, ...
  std::uint64_t group = 1;         // so many items in a row are done by one job, all or none
  double seconds_per_item = 10.0;  // longer is a hang

  // In the child. What it returns is sent to on_result unless it is empty. The cell says what is
  // being done; job tells which process it is.
  std::function<std::string(std::uint64_t item, unsigned job, std::atomic<Activity>& activity)>
      work;
  // In the parent.
  std::function<void(std::uint64_t item, std::string_view result)> on_result;
  std::function<void(std::uint64_t item, Activity activity, const Death& death)> on_death;
  // In the parent, about ten times a second. False: no new groups.
  std::function<bool()> on_tick;
};

// Runs the loop; returns how many items were begun.
std::uint64_t run_isolated(const IsolatedLoop& loop);

struct IsolatedResult {
  bool died = false;
  Death death;
  Activity activity = Activity::kIdle;
  std::string output;
};

// One piece of work in a child.
[[nodiscard]] IsolatedResult run_isolated(
    double seconds, const std::function<std::string(std::atomic<Activity>& activity)>& work);

}  // namespace plumb::harness
