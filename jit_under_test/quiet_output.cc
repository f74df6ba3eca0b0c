// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/quiet_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "core/check.h"
#include "core/child_process.h"

namespace plumb::jit {

QuietOutput::QuietOutput() {
  std::fflush(stdout);
  kept_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  silence(STDOUT_FILENO);
}

QuietOutput::~QuietOutput() {
  std::fflush(stdout);
  if (kept_ < 0) return;
  PLUMB_CHECK(dup2(kept_, STDOUT_FILENO) == STDOUT_FILENO);
  close(kept_);
}

}  // namespace plumb::jit
