// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/isolated/host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <optional>

#include "core/check.h"
#include "core/child_process.h"

namespace plumb::jit {
namespace {

// Each end knows the other's records; a process that the host forked knows them as well, and the
// numbers in sequence tell those apart.
constexpr std::uint64_t kQuestions = 0x71756573;
constexpr std::uint64_t kAnswers = 0x616e7377;
// What closed its end of the socket ends soon, or it is not going to.
constexpr std::chrono::seconds kTimeToEnd{2};
constexpr Death kDamaged{.kind = Death::Kind::kDamaged};
constexpr Death kTimedOut{.kind = Death::Kind::kTimeout};

struct Keeper {
  pid_t owner;
  int socket;  // the host's end
  int report;
};

sigset_t kept_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Ends the host's process group; the number of a group is its own until somebody waited for it.
int end_host(pid_t host) {
  kill(-host, SIGKILL);
  kill(host, SIGKILL);
  int status = 0;
  while (waitpid(host, &status, 0) < 0) PLUMB_CHECK(errno == EINTR);
  return status;
}

// SIGTERM says that the host is not wanted any more, or that who started it ended.
[[noreturn]] void wait_for(pid_t host, int report) {
  const sigset_t signals = kept_signals();
  for (;;) {
    const int got = sigwaitinfo(&signals, nullptr);
    if (got == SIGTERM) {
      end_host(host);
      _exit(0);
    }
    siginfo_t info = {};
    const bool ended =
        waitid(P_PID, static_cast<id_t>(host), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0;
    if (!ended) continue;
    const int status = end_host(host);
    _exit(write(report, &status, sizeof(status)) == sizeof(status) ? 0 : 1);
  }
}

[[noreturn]] void keep(const Keeper& keeper, const std::function<void(int socket)>& main) {
  // A signal that is ignored would not be kept for sigwaitinfo().
  for (const int number : {SIGCHLD, SIGTERM}) signal(number, SIG_DFL);
  const sigset_t signals = kept_signals();
  sigset_t before;
  sigprocmask(SIG_BLOCK, &signals, &before);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != keeper.owner) _exit(1);
  setpgid(0, 0);
  for (const int number : {SIGINT, SIGTTOU}) signal(number, SIG_IGN);
  const pid_t self = getpid();
  const pid_t host = fork();
  if (host < 0) _exit(1);
  if (host == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    close(keeper.report);
    become_child_of(self);
    main(keeper.socket);
    _exit(0);
  }
  setpgid(host, host);
  close(keeper.socket);
  wait_for(host, keeper.report);
}

void close_if_open(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

}  // namespace

HostProcess::HostProcess(const std::function<void(int socket)>& main)
    : owner_(getpid()), writer_(-1, kQuestions), reader_(kAnswers) {
  start(main);
}

void HostProcess::start(const std::function<void(int socket)>& main) {
  int sockets[2];
  int report[2];
  PLUMB_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  PLUMB_CHECK(pipe2(report, O_CLOEXEC) == 0);
  std::fflush(nullptr);  // or the host would print it again
  keeper_ = fork();
  PLUMB_CHECK(keeper_ >= 0);
  if (keeper_ == 0) {
    close(sockets[0]);
    close(report[0]);
    keep({.owner = owner_, .socket = sockets[1], .report = report[1]}, main);
  }
  close(sockets[1]);
  close(report[1]);
  socket_ = sockets[0];
  report_ = report[0];
}

HostProcess::~HostProcess() { end(); }

void HostProcess::end() {
  if (keeper_ > 0 && getpid() == owner_) {
    kill(keeper_, SIGTERM);
    while (waitpid(keeper_, nullptr, 0) < 0) PLUMB_CHECK(errno == EINTR);
  }
  keeper_ = -1;
  close_if_open(socket_);
  close_if_open(report_);
}

bool HostProcess::can_be_asked() const { return keeper_ > 0 && getpid() == owner_; }

std::expected<std::string, Death> HostProcess::ask(std::uint64_t what, std::string_view payload,
                                                   double seconds) {
  PLUMB_CHECK(can_be_asked());
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(seconds));
  auto answer =
      exchange({.kind = Record::Kind::kResult, .item = what, .payload = payload}, deadline);
  if (!answer) end();
  return answer;
}

std::expected<std::string, Death> HostProcess::exchange(const Record& request,
                                                        Clock::time_point deadline) {
  if (!send(writer_.bytes_of(request), deadline)) return std::unexpected(kTimedOut);
  for (;;) {
    const std::optional<Record> answer = reader_.next();
    if (answer && answer->item == request.item) return std::string(answer->payload);
    if (answer || reader_.damaged()) return std::unexpected(kDamaged);
    const bool is_open = socket_ >= 0;
    switch (wait(POLLIN, is_open ? deadline : std::min(deadline, Clock::now() + kTimeToEnd))) {
      case Event::kReady:
        if (!receive()) close_if_open(socket_);
        break;
      case Event::kDeath:
        return std::unexpected(death());
      case Event::kTimeout:
        return std::unexpected(is_open ? kTimedOut : kDamaged);
    }
  }
}

bool HostProcess::send(std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      const Event event = wait(POLLOUT, deadline);
      if (event != Event::kReady) return event == Event::kDeath;
    } else if (errno != EINTR) {
      return true;  // it closed its end
    }
  }
  return true;
}

bool HostProcess::receive() {
  char bytes[65536];
  const ssize_t count = recv(socket_, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  reader_.feed({bytes, static_cast<std::size_t>(count)});
  return count > 0;
}

// What came before the death counts.
HostProcess::Event HostProcess::wait(short events, Clock::time_point deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Event::kTimeout;
    std::array<pollfd, 2> descriptors{{{.fd = socket_, .events = events, .revents = 0},
                                       {.fd = report_, .events = POLLIN, .revents = 0}}};
    const int milliseconds = static_cast<int>(std::min<std::int64_t>(left, INT_MAX));
    const int ready = poll(descriptors.data(), descriptors.size(), milliseconds);
    PLUMB_CHECK(ready >= 0 || errno == EINTR);
    if (ready <= 0) continue;
    if ((descriptors[0].revents & events) != 0) return Event::kReady;
    if (descriptors[1].revents != 0) return Event::kDeath;
    if (descriptors[0].revents != 0) return Event::kReady;  // closed: receive() sees it
  }
}

// A keeper that cannot tell was killed, and the host with it.
Death HostProcess::death() const {
  int status = SIGKILL;
  const ssize_t count = read(report_, &status, sizeof(status));
  return death_of(count == sizeof(status) ? status : SIGKILL);
}

void answer_requests(
    int socket,
    const std::function<std::string(std::uint64_t what, std::string_view payload)>& answer) {
  const pid_t self = getpid();
  RecordReader reader(kQuestions);
  RecordWriter writer(socket, kAnswers);
  char bytes[65536];
  for (;;) {
    while (const std::optional<Record> request = reader.next()) {
      const std::string payload = answer(request->item, request->payload);
      // A copy of this process that code under test made must not go on as if it were this one.
      if (getpid() != self) _exit(0);
      if (!writer.write({.item = request->item, .payload = payload})) return;
    }
    const ssize_t count = read(socket, bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    reader.feed({bytes, static_cast<std::size_t>(count)});
    if (reader.damaged()) return;
  }
}

}  // namespace plumb::jit
