// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/child_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "core/check.h"

namespace plumb {

void become_child_of(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it ended before that
  setpgid(0, 0);
  // SIGTTOU: a terminal may stop a process of another group that prints to it.
  for (const int number : {SIGINT, SIGTERM, SIGTTOU}) signal(number, SIG_IGN);
  // Code under test that calls exit() must not start the parent's handlers. The last one that is
  // registered runs first.
  PLUMB_CHECK(on_exit([](int status, void*) { _exit(status); }, nullptr) == 0);
}

void silence(int descriptor) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  // A fuzz target may run where there are no devices.
  if (nothing < 0) nothing = memfd_create("nothing", MFD_CLOEXEC);
  PLUMB_CHECK(nothing >= 0);
  if (nothing == descriptor) return;
  PLUMB_CHECK(dup2(nothing, descriptor) >= 0);
  close(nothing);
}

void limit_memory(std::uint64_t bytes) {
  const rlimit none = {};
  PLUMB_CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
  std::uint64_t pages = 0;  // the first number in the file
  std::ifstream("/proc/self/statm") >> pages;
  if (pages == 0) return;  // a fuzz target may run where there is no /proc
  rlimit limit = {};
  PLUMB_CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
  const rlim_t wanted = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) + bytes;
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, wanted);
  PLUMB_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

}  // namespace plumb
