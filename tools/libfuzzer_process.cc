// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/libfuzzer_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include "core/check.h"

namespace plumb::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSecondsToObey = 5;  // between SIGTERM and SIGKILL
constexpr std::chrono::milliseconds kTick(50);
constexpr int kTicksPerReport = 10;
constexpr int kNoTarget = 127;  // as a shell says it

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A signal handler has no other way to tell.
volatile sig_atomic_t interrupted = 0;

// While it lives, SIGINT and SIGTERM are noted and do not end the process.
class Interruption {
 public:
  Interruption() {
    interrupted = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      PLUMB_CHECK(sigaction(kSignals[i], &action, &before_[i]) == 0);
    }
  }
  ~Interruption() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

 private:
  static constexpr std::array kSignals{SIGINT, SIGTERM};
  std::array<struct sigaction, kSignals.size()> before_{};
};

pid_t checked_fork() {
  const pid_t child = fork();
  PLUMB_CHECK(child >= 0);
  return child;
}

void reap(pid_t child, int& status) {
  while (waitpid(child, &status, 0) < 0) PLUMB_CHECK(errno == EINTR);
}

// The target leads a process group. A guard in the same group reads from a pipe that this process
// alone holds open: at its end the guard kills the group. libFuzzer's own jobs would live on.
class Group {
 public:
  explicit Group(const TargetCommand& command) {
    PLUMB_CHECK(pipe2(ends_, O_CLOEXEC) == 0);
    leader_ = checked_fork();
    if (leader_ == 0) become_target(command);
    setpgid(leader_, leader_);  // here and there: whoever comes first
    guard_ = checked_fork();
    if (guard_ == 0) kill_group_at_end_of_parent(leader_);
    setpgid(guard_, leader_);
    close(ends_[0]);
  }
  ~Group() {
    kill(-leader_, SIGKILL);
    kill(guard_, SIGKILL);
    int status = 0;
    if (!ended_) reap(leader_, status);
    reap(guard_, status);
    close(ends_[1]);
    remove_temporary_files();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  [[nodiscard]] bool ended() {
    if (!ended_) ended_ = waitpid(leader_, &status_, WNOHANG) == leader_;
    return ended_;
  }
  // Of the target, once it has ended.
  [[nodiscard]] int status() const { return status_; }

  // Twice is fine.
  void stop() {
    if (stopped_at_ == Clock::time_point()) {
      stopped_at_ = Clock::now();
      kill(-leader_, SIGTERM);
    } else if (since(stopped_at_) > kSecondsToObey) {
      kill(leader_, SIGKILL);
    }
  }

 private:
  [[noreturn]] static void become_target(const TargetCommand& command) {
    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    const int output = open(command.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (output < 0 || input < 0) _exit(kNoTarget);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    std::vector<char*> arguments;
    arguments.reserve(command.arguments.size() + 1);
    for (const std::string& part : command.arguments) {
      arguments.push_back(const_cast<char*>(part.c_str()));
    }
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(kNoTarget);
  }

  [[noreturn]] void kill_group_at_end_of_parent(pid_t group) const {
    setpgid(0, group);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    close(ends_[1]);
    char byte = 0;
    while (read(ends_[0], &byte, 1) < 0 && errno == EINTR) {
    }
    kill(0, SIGKILL);
    _exit(0);
  }

  // What libFuzzer's fork mode leaves behind when it is killed.
  void remove_temporary_files() const {
    std::error_code error;
    const auto directory = std::filesystem::temp_directory_path(error);
    std::filesystem::remove_all(
        directory / fmt::format("libFuzzerTemp.FuzzWithFork{}.dir", leader_), error);
  }

  int ends_[2] = {-1, -1};
  pid_t leader_ = -1;
  pid_t guard_ = -1;
  bool ended_ = false;
  int status_ = 0;
  Clock::time_point stopped_at_;
};

bool is_of_funnel(const std::string& line) {
  return line.starts_with("plumb:   ") || line.starts_with("plumb: funnel of ") ||
         line.ends_with(" of them text of cases");
}

void read_log(const std::string& path, TargetEnd& end) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    end.fuzzed |= line.starts_with("INFO: exiting:");
    if (!line.empty() && !is_of_funnel(line)) end.last_line = line;
  }
  if (end.last_line.empty()) end.last_line = fmt::format("status {}, without a word", end.status);
}

}  // namespace

TargetEnd run_target(const TargetCommand& command) {
  TargetEnd end;
  const Interruption interruption;
  {
    const Clock::time_point begin = Clock::now();
    Group group(command);
    for (int tick = 0; !group.ended(); ++tick) {
      end.interrupted |= interrupted != 0;
      end.stopped |= command.seconds > 0 && since(begin) > command.seconds;
      if (end.interrupted || end.stopped) group.stop();
      if (command.on_progress && tick % kTicksPerReport == 0) command.on_progress(since(begin));
      std::this_thread::sleep_for(kTick);
    }
    const int status = group.status();
    end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  read_log(command.log, end);
  return end;
}

}  // namespace plumb::tools
