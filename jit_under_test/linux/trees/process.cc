// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace plumb::jit::trees {
namespace {

constexpr int kCannotExecute = 127;

sigset_t held_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

void give_signals_back() {
  const sigset_t set = held_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

[[noreturn]] void become(const std::vector<std::string>& command, int log) {
  // Its own group: an interrupt from the terminal comes to us, and we end the whole group.
  setpgid(0, 0);
  give_signals_back();
  setenv("LC_ALL", "C", 1);  // what it prints is read
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(arguments.front(), arguments.data());
  _exit(kCannotExecute);
}

// The status that waitpid() gave, waiting until the child ends; ends it when we are interrupted.
Result<int> await(pid_t child) {
  const sigset_t interrupts = held_signals();
  const timespec tick{.tv_sec = 0, .tv_nsec = 50'000'000};
  bool interrupted = false;
  while (true) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) {
      if (interrupted) return fail("interrupted");
      return status;
    }
    if (ended < 0 && errno != EINTR) {
      return fail(fmt::format("cannot wait for a process: {}", std::strerror(errno)));
    }
    if (sigtimedwait(&interrupts, nullptr, &tick) > 0) {
      interrupted = true;
      kill(-child, SIGTERM);
    }
  }
}

}  // namespace

InterruptsHeld::InterruptsHeld() {
  const sigset_t set = held_signals();
  sigprocmask(SIG_BLOCK, &set, &previous_);
}

InterruptsHeld::~InterruptsHeld() { sigprocmask(SIG_SETMASK, &previous_, nullptr); }

std::string find_program(const std::vector<std::string>& names) {
  const char* variable = std::getenv("PATH");
  const std::string_view path = variable != nullptr ? variable : "/usr/bin:/bin";
  for (const std::string& name : names) {
    if (name.starts_with('/') && access(name.c_str(), X_OK) == 0) return name;
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find(':', begin), path.size());
      const std::string candidate = fmt::format("{}/{}", path.substr(begin, end - begin), name);
      if (end > begin && access(candidate.c_str(), X_OK) == 0) return candidate;
      begin = end + 1;
    }
  }
  return {};
}

Result<int> run_process(const std::vector<std::string>& command, const std::string& log) {
  const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) return fail(fmt::format("{}: {}", log, std::strerror(errno)));
  const pid_t child = fork();
  if (child == 0) become(command, file);
  const int error = errno;
  close(file);
  if (child < 0) return fail(fmt::format("cannot start a process: {}", std::strerror(error)));
  setpgid(child, child);  // as the child does: whoever comes first
  const Result<int> status = await(child);
  if (!status) return status;
  if (WIFSIGNALED(*status)) {
    return fail(fmt::format("{} was killed by signal {}", command.front(), WTERMSIG(*status)));
  }
  if (WEXITSTATUS(*status) == kCannotExecute) {
    return fail(fmt::format("{} cannot be run", command.front()));
  }
  return WEXITSTATUS(*status);
}

}  // namespace plumb::jit::trees
