// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/isolate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/check.h"
#include "core/child_process.h"
#include "core/death.h"
#include "core/record_stream.h"
#include "core/rng.h"
#include "harness/shared_memory.h"

namespace plumb::harness::isolate_detail {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTickMilliseconds = 100;
constexpr int kSoonMilliseconds = 1;
// Code under test that closes or writes to the first few descriptors does not find ours.
constexpr int kLowestDescriptor = 100;
constexpr Death kKilled{.kind = Death::Kind::kSignal, .number = SIGKILL};

// What a child shows its parent. The child writes all but stop.
struct Progress {
  std::atomic<std::uint64_t> item;
  std::atomic<std::uint64_t> begun;   // items begun, by all processes of the job
  std::atomic<std::uint64_t> judged;  // items done, by this process
  std::atomic<Activity> activity;
  std::atomic<bool> check_failed;  // PLUMB_CHECK
  std::atomic<bool> stop;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

std::uint64_t new_nonce() {
  static std::uint64_t children = 0;
  return nth_seed(static_cast<std::uint64_t>(getpid()), ++children);
}

// One process at a time that works on the items of one job.
class Job {
 public:
  Job(const Loop& loop, unsigned number, Progress& progress)
      : loop_(loop), number_(number), progress_(progress), next_(number * loop.group) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  Job(Job&& other) = delete;
  ~Job() { PLUMB_CHECK(child_ < 0); }

  [[nodiscard]] bool is_running() const { return child_ >= 0; }
  // Of the pipe; -1: its other end is closed.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void start() {
    if (is_done(next_)) return;
    int ends[2];
    PLUMB_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    PLUMB_CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    progress_.item = next_;
    progress_.judged = 0;
    progress_.activity = Activity::kIdle;
    progress_.check_failed = false;
    const std::uint64_t nonce = new_nonce();
    reader_ = RecordReader(nonce);
    std::fflush(nullptr);  // or the child would print it again
    const pid_t parent = getpid();
    child_ = fork();
    PLUMB_CHECK(child_ >= 0);
    if (child_ == 0) {
      mark_failed_checks(&progress_.check_failed);
      become_child_of(parent);
      silence(STDIN_FILENO);
      silence(STDOUT_FILENO);
      limit_memory(loop_.memory);
      const int high = fcntl(ends[1], F_DUPFD_CLOEXEC, kLowestDescriptor);
      if (high >= 0) close(ends[1]);
      run_items(high >= 0 ? high : ends[1], nonce);
    }
    setpgid(child_, child_);  // here and there: whoever comes first
    close(ends[1]);
    descriptor_ = ends[0];
    first_ = next_;
    end_.reset();
    timed_out_ = false;
    last_item_ = next_;
    last_change_ = Clock::now();
  }

  // Takes what the pipe holds.
  void read_pipe() {
    char bytes[65536];
    while (descriptor_ >= 0) {
      const ssize_t count = read(descriptor_, bytes, sizeof(bytes));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return;
      if (count == 0) return close_pipe();
      reader_.feed({bytes, static_cast<std::size_t>(count)});
      deliver();
    }
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
    kill_child();
  }

  // The child's end counts, not that of the pipe: a process that it began may keep that open.
  void finish_if_ended() {
    PLUMB_CHECK(child_ > 1);
    siginfo_t info = {};
    PLUMB_CHECK(waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    if (info.si_pid == 0) return;
    kill(-child_, SIGKILL);  // what it began
    int status = 0;
    while (waitpid(child_, &status, 0) < 0) PLUMB_CHECK(errno == EINTR);
    child_ = -1;
    read_pipe();
    close_pipe();
    conclude(status);
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

  // Is it an item that the child at hand may have come to?
  [[nodiscard]] bool is_reached(std::uint64_t item) const {
    return item >= first_ && item / loop_.group % loop_.jobs == number_;
  }

  // How many items of the job the child at hand did before this one.
  [[nodiscard]] std::uint64_t count_before(std::uint64_t item) const {
    const auto ordinal = [this](std::uint64_t of) {
      return of / loop_.group / loop_.jobs * loop_.group + of % loop_.group;
    };
    return ordinal(item) - ordinal(first_);
  }

  // An exception ends the process here, as a signal does: it must not reach the parent's frames.
  [[noreturn]] void run_items(int descriptor, std::uint64_t nonce) noexcept {
    const pid_t self = getpid();
    RecordWriter writer(descriptor, nonce);
    std::uint64_t item = next_;
    for (; !is_done(item); item = next_after(item)) {
      progress_.item = item;
      ++progress_.begun;
      const std::optional<std::string> result = loop_.work(item, number_, progress_.activity);
      // A copy of this process that code under test made must not go on as if it were this one.
      if (getpid() != self) _exit(0);
      const std::uint64_t judged = progress_.judged + 1;
      if (result && !writer.write({.item = item, .judged = judged, .payload = *result})) _exit(1);
      progress_.judged = judged;
    }
    const bool sent =
        writer.write({.kind = Record::Kind::kEnd, .item = item, .judged = progress_.judged});
    // No destructors and no atexit handlers: they belong to the parent.
    _exit(sent ? 0 : 1);
  }

  void deliver() {
    bool good = true;
    while (const std::optional<Record> record = reader_.next()) {
      good = is_reached(record->item);
      if (record->kind == Record::Kind::kEnd) {
        end_ = *record;
        end_->payload = {};
        good = good && is_done(record->item) && record->judged == count_before(record->item);
      } else {
        good = good && record->judged == count_before(record->item) + 1 &&
               loop_.accept(record->item, record->payload);
      }
      if (!good) break;
    }
    if (good && !reader_.damaged()) return;
    damaged_ = true;
    kill_child();
    close_pipe();
  }

  // Only while nobody has waited for it: the number is its own until then.
  void kill_child() {
    if (child_ > 0) kill(child_, SIGKILL);
  }

  void close_pipe() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

  void conclude(int status) {
    if (reader_.ended() && !damaged_) {
      next_ = end_->item;
      return;
    }
    const std::uint64_t item = progress_.item;
    const bool plausible = is_reached(item) && item < loop_.items;
    next_ = plausible ? item : first_;
    Death death = how_it_ended(status);
    // All before the item were done, and maybe it was, too.
    const std::uint64_t judged = progress_.judged;
    if (!plausible || judged < count_before(item) || judged > count_before(item) + 1) {
      death = {.kind = Death::Kind::kDamaged};
    }
    if (death == kKilled) {
      if (judged > count_before(item)) return go_on_behind(item);  // its result is here
      if (killed_ != item) return try_again(item);
      death = killed_twice(oom_kills_, loop_.oom_kills());
    }
    loop_.on_loss(next_, {.activity = progress_.activity, .death = death});
    go_on_behind(next_);
  }

  void go_on_behind(std::uint64_t item) {
    damaged_ = false;
    next_ = next_after(item);
    start();
  }

  // Whoever sent that signal, we did not: once is no reason to blame the item.
  void try_again(std::uint64_t item) {
    killed_ = item;
    oom_kills_ = loop_.oom_kills();
    --progress_.begun;
    start();
  }

  [[nodiscard]] Death how_it_ended(int status) const {
    if (progress_.check_failed) return {.kind = Death::Kind::kCheckFailed};
    if (damaged_) return {.kind = Death::Kind::kDamaged};
    if (timed_out_) return {.kind = Death::Kind::kTimeout};
    return death_of(status);
  }

  const Loop& loop_;
  unsigned number_;
  Progress& progress_;
  std::uint64_t next_;
  std::uint64_t first_ = 0;  // of the child at hand
  pid_t child_ = -1;
  int descriptor_ = -1;
  RecordReader reader_{0};
  std::optional<Record> end_;
  bool damaged_ = false;
  std::optional<std::uint64_t> killed_;  // the last item over which a child died of SIGKILL
  std::int64_t oom_kills_ = 0;           // when it was tried again
  std::uint64_t last_item_ = 0;
  Clock::time_point last_change_;
  bool timed_out_ = false;
};

// Waits for a pipe, for a process whose pipe is closed, or for the next tick.
void wait_for(const std::vector<std::unique_ptr<Job>>& jobs) {
  std::vector<pollfd> descriptors;
  int milliseconds = kTickMilliseconds;
  for (const auto& job : jobs) {
    if (!job->is_running()) continue;
    if (job->descriptor() < 0) milliseconds = kSoonMilliseconds;
    descriptors.push_back({.fd = job->descriptor(), .events = POLLIN, .revents = 0});
  }
  const int ready = poll(descriptors.data(), descriptors.size(), milliseconds);
  PLUMB_CHECK(ready >= 0 || errno == EINTR);
  for (const auto& job : jobs) {
    if (!job->is_running()) continue;
    job->read_pipe();
    job->kill_if_hanging();
    job->finish_if_ended();
  }
}

}  // namespace

std::uint64_t run(const Loop& loop) {
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

}  // namespace plumb::harness::isolate_detail
