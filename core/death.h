// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace plumb {

// How a child process ended before it had said that it was done.
struct Death {
  enum class Kind : std::uint8_t {
    kExit,               // with any status, 0 too: there was no end mark
    kSignal,             // of which it died
    kTimeout,            // it was ended because it did not end
    kCheckFailed,        // PLUMB_CHECK: the harness itself is wrong
    kDamaged,            // what it sent, or said to have done, cannot be
    kKilledFromOutside,  // SIGKILL, and what was under test need not have had a part in it
  };
  Kind kind = Kind::kExit;
  int number = 0;  // signal or exit status

  bool operator==(const Death&) const = default;
  [[nodiscard]] std::string str() const;  // "killed by signal 11 (SEGV)"
};

// Of what waitpid() says: kExit or kSignal.
[[nodiscard]] Death death_of(int wait_status);

// Processes that the system killed for want of memory since it was started (/proc/vmstat), or -1:
// it does not say.
[[nodiscard]] std::int64_t oom_kills();

// What is to be said when a second process died of SIGKILL, which we did not send, over the same
// work as one before: that the work killed it, unless the system had a reason of its own in the
// time between the two counts of oom_kills(), or does not say.
[[nodiscard]] Death killed_twice(std::int64_t oom_kills_before, std::int64_t oom_kills_after);

}  // namespace plumb
