// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/death.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <fstream>

namespace plumb {

std::string Death::str() const {
  switch (kind) {
    case Kind::kExit:
      return number == 0 ? "ended without a verdict (status 0)"
                         : fmt::format("ended with status {}", number);
    case Kind::kSignal: {
      const char* const name = sigabbrev_np(number);
      return fmt::format("killed by signal {} ({})", number, name != nullptr ? name : "?");
    }
    case Kind::kTimeout:
      return "does not end";
    case Kind::kCheckFailed:
      return "failed a check of its own";
    case Kind::kDamaged:
      return "sent a damaged record";
    case Kind::kKilledFromOutside:
      return "killed from outside (out of memory?)";
  }
  return {};
}

Death death_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return {.kind = Death::Kind::kSignal, .number = WTERMSIG(wait_status)};
  }
  return {.kind = Death::Kind::kExit, .number = WEXITSTATUS(wait_status)};
}

std::int64_t oom_kills() {
  std::ifstream counters("/proc/vmstat");
  std::string name;
  for (std::int64_t count = 0; counters >> name >> count;) {
    if (name == "oom_kill") return count;
  }
  return -1;
}

Death killed_twice(std::int64_t oom_kills_before, std::int64_t oom_kills_after) {
  if (oom_kills_before < 0 || oom_kills_before != oom_kills_after) {
    return {.kind = Death::Kind::kKilledFromOutside};
  }
  return {.kind = Death::Kind::kSignal, .number = SIGKILL};
}

}  // namespace plumb
