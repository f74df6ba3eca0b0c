// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/isolate.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "core/check.h"
#include "harness/shared_memory.h"

namespace plumb::harness {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTickMilliseconds = 100;

// What a child shows its parent. The child writes all but stop.
struct Progress {
  std::atomic<std::uint64_t> item;
  std::atomic<std::uint64_t> begun;  // items begun, by all processes of the job
  std::atomic<Activity> activity;
  std::atomic<bool> stop;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// A result on the pipe: item, length, bytes.
struct MessageHeader {
  std::uint64_t item;
  std::uint64_t size;
};

bool write_all(int descriptor, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = write(descriptor, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

void become_child_of(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it ended before that
  for (const int number : {SIGINT, SIGTERM}) signal(number, SIG_IGN);
}

// One process at a time that works on the items of one job.
class Job {
 public:
  Job(const IsolatedLoop& loop, unsigned number, Progress& progress)
      : loop_(loop), number_(number), progress_(progress), next_(number * loop.group) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  Job(Job&& other) = delete;
  ~Job() { PLUMB_CHECK(child_ < 0); }

  [[nodiscard]] bool is_running() const { return child_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void start() {
    if (is_done(next_)) return;
    int ends[2];
    PLUMB_CHECK(pipe(ends) == 0);
    progress_.item = next_;
    progress_.activity = Activity::kIdle;
    const pid_t parent = getpid();
    child_ = fork();
    PLUMB_CHECK(child_ >= 0);
    if (child_ == 0) {
      close(ends[0]);
      become_child_of(parent);
      run_items(ends[1]);
    }
    close(ends[1]);
    descriptor_ = ends[0];
    last_item_ = next_;
    last_change_ = Clock::now();
  }

  // Takes what the pipe holds; at its end, the child's status.
  void read_pipe() {
    char bytes[65536];
    const ssize_t count = read(descriptor_, bytes, sizeof(bytes));
    if (count < 0) return;
    if (count == 0) return finish();
    buffer_.append(bytes, static_cast<std::size_t>(count));
    deliver();
  }

  void kill_if_hanging() {
    const std::uint64_t item = progress_.item;
    if (item != last_item_) {
      last_item_ = item;
      last_change_ = Clock::now();
      return;
    }
    const std::chrono::duration<double> idle = Clock::now() - last_change_;
    if (idle.count() < loop_.seconds_per_item || timed_out_) return;
    timed_out_ = true;
    kill(child_, SIGKILL);
  }

 private:
  // Nothing is begun from here on: a group that was begun is done to its end.
  [[nodiscard]] bool is_done(std::uint64_t next) const {
    return next >= loop_.items || (next % loop_.group == 0 && progress_.stop.load());
  }

  [[nodiscard]] std::uint64_t next_after(std::uint64_t item) const {
    const std::uint64_t next = item + 1;
    return next % loop_.group == 0 ? next + (loop_.jobs - 1) * loop_.group : next;
  }

  [[noreturn]] void run_items(int descriptor) {
    for (std::uint64_t item = next_; !is_done(item); item = next_after(item)) {
      progress_.item = item;
      ++progress_.begun;
      const std::string result = loop_.work(item, number_, progress_.activity);
      if (result.empty()) continue;
      const MessageHeader header{.item = item, .size = result.size()};
      if (!write_all(descriptor, &header, sizeof(header)) ||
          !write_all(descriptor, result.data(), result.size())) {
        _exit(1);
      }
    }
    // No destructors and no atexit handlers: they belong to the parent.
    _exit(0);
  }

  void deliver() {
    MessageHeader header;
    while (buffer_.size() >= sizeof(header)) {
      std::memcpy(&header, buffer_.data(), sizeof(header));
      if (buffer_.size() - sizeof(header) < header.size) return;
      loop_.on_result(header.item, std::string_view(buffer_).substr(sizeof(header), header.size));
      buffer_.erase(0, sizeof(header) + header.size);
    }
  }

  void finish() {
    int status = 0;
    while (waitpid(child_, &status, 0) < 0) PLUMB_CHECK(errno == EINTR);
    close(descriptor_);
    child_ = -1;
    descriptor_ = -1;
    buffer_.clear();  // a child that died while it wrote
    const bool timed_out = timed_out_;
    timed_out_ = false;
    if (!timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    Death death{.kind = Death::Kind::kExit, .number = WEXITSTATUS(status)};
    if (WIFSIGNALED(status)) death = {.kind = Death::Kind::kSignal, .number = WTERMSIG(status)};
    if (timed_out) death = {.kind = Death::Kind::kTimeout, .number = 0};
    const std::uint64_t item = progress_.item;
    loop_.on_death(item, progress_.activity, death);
    next_ = next_after(item);
    start();
  }

  const IsolatedLoop& loop_;
  unsigned number_;
  Progress& progress_;
  std::uint64_t next_;
  pid_t child_ = -1;
  int descriptor_ = -1;
  std::string buffer_;
  std::uint64_t last_item_ = 0;
  Clock::time_point last_change_;
  bool timed_out_ = false;
};

// Waits for a pipe or the next tick.
void wait_for(const std::vector<std::unique_ptr<Job>>& jobs) {
  std::vector<pollfd> descriptors;
  std::vector<Job*> owners;
  for (const auto& job : jobs) {
    if (!job->is_running()) continue;
    descriptors.push_back({.fd = job->descriptor(), .events = POLLIN, .revents = 0});
    owners.push_back(job.get());
  }
  const int ready = poll(descriptors.data(), descriptors.size(), kTickMilliseconds);
  PLUMB_CHECK(ready >= 0 || errno == EINTR);
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (ready > 0 && descriptors[i].revents != 0) owners[i]->read_pipe();
    if (owners[i]->is_running()) owners[i]->kill_if_hanging();
  }
}

}  // namespace

std::string Death::str() const {
  switch (kind) {
    case Kind::kSignal:
      return fmt::format("killed by signal {} ({})", number, sigabbrev_np(number));
    case Kind::kExit:
      return fmt::format("ended with status {}", number);
    case Kind::kTimeout:
      return "does not end";
  }
  return {};
}

std::uint64_t run_isolated(const IsolatedLoop& loop) {
  PLUMB_CHECK(loop.jobs > 0 && loop.group > 0);
  const unsigned count = loop.jobs;
  const SharedArray<Progress> progress(count);
  std::vector<std::unique_ptr<Job>> jobs;
  for (unsigned i = 0; i < count; ++i) {
    jobs.push_back(std::make_unique<Job>(loop, i, progress[i]));
    jobs.back()->start();
  }
  const auto running = [&] {
    return std::ranges::any_of(jobs, [](const auto& job) { return job->is_running(); });
  };
  Clock::time_point next_tick = Clock::now();
  while (running()) {
    wait_for(jobs);
    if (Clock::now() < next_tick) continue;
    next_tick = Clock::now() + std::chrono::milliseconds(kTickMilliseconds);
    if (loop.on_tick && !loop.on_tick()) {
      for (unsigned i = 0; i < count; ++i) progress[i].stop = true;
    }
  }
  std::uint64_t begun = 0;
  for (unsigned i = 0; i < count; ++i) begun += progress[i].begun;
  return begun;
}

IsolatedResult run_isolated(
    double seconds, const std::function<std::string(std::atomic<Activity>& activity)>& work) {
  IsolatedResult result;
  run_isolated(
      {.items = 1,
       .jobs = 1,
       .seconds_per_item = seconds,
       .work = [&](std::uint64_t, unsigned,
                   std::atomic<Activity>& activity) { return work(activity); },
       .on_result = [&](std::uint64_t, std::string_view output) { result.output = output; },
       .on_death =
           [&](std::uint64_t, Activity activity, const Death& death) {
             result.died = true;
             result.activity = activity;
             result.death = death;
           },
       .on_tick = {}});
  return result;
}

}  // namespace plumb::harness
