// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/isolate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>

#include "core/check.h"
#include "harness/shared_memory.h"

namespace plumb::harness {
namespace {

// What a loop reported, item by item.
struct Log {
  std::map<std::uint64_t, std::string> results;
  std::map<std::uint64_t, Death> deaths;
  std::map<std::uint64_t, Activity> activities;
  std::uint64_t begun = 0;
};

using Loop = IsolatedLoop<std::string>;
using Result = std::optional<std::string>;

Log run_logged(Loop loop) {
  Log log;
  loop.on_result = [&](std::uint64_t item, std::string result) {
    EXPECT_FALSE(log.results.contains(item));
    log.results[item] = std::move(result);
  };
  loop.on_loss = [&](std::uint64_t item, const Loss& loss) {
    EXPECT_FALSE(log.deaths.contains(item));
    log.deaths[item] = loss.death;
    log.activities[item] = loss.activity;
  };
  log.begun = run_isolated(loop);
  return log;
}

TEST(Isolate, GoesOnBehindItemsThatKillTheirProcess) {
  for (const unsigned jobs : {1u, 3u}) {
    const Log log = run_logged(
        {.items = 20,
         .jobs = jobs,
         .seconds_per_item = 10,
         .work = [](std::uint64_t item, unsigned, std::atomic<Activity>& activity) -> Result {
           activity = Activity::kCompiling;
           if (item == 4) raise(SIGKILL);
           if (item == 11) _exit(7);
           activity = Activity::kChecking;
           if (item % 2 != 0) return std::nullopt;
           return std::to_string(item);
         }});
    EXPECT_EQ(log.begun, 20u);
    EXPECT_EQ(log.results.size(), 9u);
    EXPECT_EQ(log.results.at(18), "18");
    EXPECT_FALSE(log.results.contains(4));
    ASSERT_EQ(log.deaths.size(), 2u);
    EXPECT_EQ(log.deaths.at(4), (Death{Death::Kind::kSignal, SIGKILL}));
    EXPECT_EQ(log.deaths.at(11), (Death{Death::Kind::kExit, 7}));
    EXPECT_EQ(log.activities.at(4), Activity::kCompiling);
  }
}

TEST(Isolate, EndsWhatDoesNotEnd) {
  const Log log =
      run_logged({.items = 3,
                  .jobs = 1,
                  .seconds_per_item = 0.3,
                  .work = [](std::uint64_t item, unsigned, std::atomic<Activity>&) -> Result {
                    while (item == 1) pause();
                    return std::string("done");
                  }});
  EXPECT_EQ(log.results.size(), 2u);
  ASSERT_TRUE(log.deaths.contains(1));
  EXPECT_EQ(log.deaths.at(1).kind, Death::Kind::kTimeout);
}

TEST(Isolate, StopsWhenToldTo) {
  int ticks = 0;
  const Log log =
      run_logged({.items = ~std::uint64_t{0},
                  .jobs = 2,
                  .seconds_per_item = 10,
                  .work = [](std::uint64_t, unsigned, std::atomic<Activity>&) -> Result {
                    usleep(1000);
                    return std::string();
                  },
                  .on_tick = [&] { return ++ticks < 3; }});
  EXPECT_GT(log.begun, 2u);
  EXPECT_LT(log.begun, 10'000u);
}

TEST(Isolate, ADeathCostsOneItemOfItsGroup) {
  for (const unsigned jobs : {1u, 2u, 5u}) {
    const Log log =
        run_logged({.items = 12,
                    .jobs = jobs,
                    .group = 3,
                    .seconds_per_item = 10,
                    .work = [](std::uint64_t item, unsigned job, std::atomic<Activity>&) -> Result {
                      if (item == 4 || item == 5 || item == 9) raise(SIGKILL);
                      return std::to_string(job);
                    }});
    EXPECT_EQ(log.deaths.size(), 3u);
    EXPECT_EQ(log.results.size(), 9u);
    for (const auto& [item, job] : log.results) {
      EXPECT_EQ(job, std::to_string(item / 3 % jobs)) << item;
    }
  }
}

TEST(Isolate, StopsBetweenGroups) {
  const Log log =
      run_logged({.items = ~std::uint64_t{0},
                  .jobs = 2,
                  .group = 7,
                  .seconds_per_item = 10,
                  .work = [](std::uint64_t item, unsigned, std::atomic<Activity>&) -> Result {
                    usleep(1000);
                    if (item % 7 == 2) raise(SIGKILL);
                    return std::string("x");
                  },
                  .on_tick = [ticks = 0]() mutable { return ++ticks < 3; }});
  std::map<std::uint64_t, int> items_of_group;
  for (const auto& row : log.results) ++items_of_group[row.first / 7];
  for (const auto& row : log.deaths) ++items_of_group[row.first / 7];
  EXPECT_FALSE(items_of_group.empty());
  for (const auto& [group, items] : items_of_group) EXPECT_EQ(items, 7) << group;
}

// A terminal sends them to all processes; the parent decides.
TEST(Isolate, RequestsToStopPassTheChildrenBy) {
  const auto result = run_isolated<std::string>(10, [](std::atomic<Activity>&) {
    raise(SIGINT);
    raise(SIGTERM);
    return "still here";
  });
  EXPECT_EQ(result, "still here");
}

TEST(Isolate, NoChildOutlivesItsParent) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    close(ends[0]);
    std::ignore = run_isolated<std::string>(600, [&](std::atomic<Activity>&) -> std::string {
      const pid_t self = getpid();
      if (write(ends[1], &self, sizeof(self)) != sizeof(self)) _exit(1);
      while (true) pause();
    });
    _exit(0);
  }
  close(ends[1]);
  pid_t child = 0;
  ASSERT_EQ(read(ends[0], &child, sizeof(child)), sizeof(child)) << "it never began";
  kill(parent, SIGKILL);
  EXPECT_EQ(waitpid(parent, nullptr, 0), parent);
  // The pipe ends with the last process that holds its other end.
  pollfd end{.fd = ends[0], .events = POLLIN, .revents = 0};
  const bool gone = poll(&end, 1, 20'000) == 1;
  EXPECT_TRUE(gone) << "a child is left";
  if (!gone) kill(child, SIGKILL);
  close(ends[0]);
}

TEST(Isolate, CarriesLargeResults) {
  const std::string large(1 << 20, 'x');
  const auto result =
      run_isolated<std::string>(10, [&](std::atomic<Activity>&) { return large + "y"; });
  EXPECT_EQ(result, large + "y");
}

TEST(Isolate, DeathsReadWell) {
  EXPECT_EQ((Death{Death::Kind::kSignal, SIGSEGV}).str(), "killed by signal 11 (SEGV)");
  EXPECT_EQ((Death{Death::Kind::kExit, 3}).str(), "ended with status 3");
  EXPECT_EQ((Death{Death::Kind::kExit, 0}).str(), "ended without a verdict (status 0)");
  EXPECT_EQ((Death{Death::Kind::kTimeout, 0}).str(), "does not end");
}

// ---- What code under test may do to the process that it runs in ----

// Five items, of which the third does something to its process; the others return their number.
Log run_with(const std::function<void()>& what, double seconds = 10) {
  return run_logged(
      {.items = 5,
       .seconds_per_item = seconds,
       .work = [&](std::uint64_t item, unsigned, std::atomic<Activity>& activity) -> Result {
         activity = Activity::kCompiling;
         if (item == 2) what();
         activity = Activity::kIdle;
         return std::to_string(item);
       }});
}

void expect_lost(const Log& log, const Death& death) {
  EXPECT_EQ(log.begun, 5u);
  EXPECT_EQ(log.results.size(), 4u);
  ASSERT_TRUE(log.deaths.contains(2));
  EXPECT_EQ(log.deaths.size(), 1u);
  EXPECT_EQ(log.deaths.at(2), death) << log.deaths.at(2).str();
}

// The status says nothing: without the end mark, the work is not done.
TEST(IsolateFrom, AnEndWithWhateverStatusIsALoss) {
  const struct {
    std::function<void()> what;
    Death death;
  } rows[] = {
      {[] { _exit(0); }, {Death::Kind::kExit, 0}},
      {[] { std::exit(0); }, {Death::Kind::kExit, 0}},
      {[] { std::quick_exit(0); }, {Death::Kind::kExit, 0}},
      {[] { _exit(3); }, {Death::Kind::kExit, 3}},
      {[] { execl("/bin/true", "true", nullptr); }, {Death::Kind::kExit, 0}},
      {[] { std::thread([] { _exit(0); }).join(); }, {Death::Kind::kExit, 0}},
      {[] {
         signal(SIGALRM, [](int) { _exit(0); });
         alarm(1);
         pause();
       },
       {Death::Kind::kExit, 0}},
      {[] { std::abort(); }, {Death::Kind::kSignal, SIGABRT}},
      {[] { throw std::runtime_error("from a JIT"); }, {Death::Kind::kSignal, SIGABRT}},
      {[] { PLUMB_CHECK(1 + 1 == 3); }, {Death::Kind::kCheckFailed, 0}},
  };
  for (const auto& row : rows) {
    const Log log = run_with(row.what);
    expect_lost(log, row.death);
    EXPECT_EQ(log.activities.at(2), Activity::kCompiling);
  }
}

// Nothing to tell is not nothing done: those who have no result are counted, too.
TEST(IsolateFrom, ASilentEndIsALossWhereNobodyHasAResult) {
  const Log log = run_logged(
      {.items = 5, .work = [](std::uint64_t item, unsigned, std::atomic<Activity>&) -> Result {
         if (item == 2) _exit(0);
         return std::nullopt;
       }});
  EXPECT_TRUE(log.results.empty());
  ASSERT_EQ(log.deaths.size(), 1u);
  EXPECT_EQ(log.deaths.at(2), (Death{Death::Kind::kExit, 0}));
}

TEST(IsolateFrom, AProgramThatTakesItsPlaceAndDoesNotEnd) {
  const Log log = run_with([] { execl("/bin/sleep", "sleep", "60", nullptr); }, 0.5);
  expect_lost(log, {Death::Kind::kTimeout, 0});
}

constexpr int kDescriptors = 300;

bool is_open(int descriptor) { return fcntl(descriptor, F_GETFD) >= 0; }

TEST(IsolateFrom, TextOnAllDescriptorsIsDamage) {
  // But not on those that the test was started with.
  std::vector<bool> before;
  for (int i = 0; i < kDescriptors; ++i) before.push_back(is_open(i));
  const Log log = run_with([&] {
    for (int i = 0; i < kDescriptors; ++i) {
      if (!before[static_cast<std::size_t>(i)]) std::ignore = write(i, "uBPF: hello\n", 12);
    }
  });
  EXPECT_EQ(log.begun, 5u);
  EXPECT_EQ(log.deaths.size(), 1u);
  for (const auto& [item, death] : log.deaths) {
    EXPECT_GE(item, 2u);  // that is when the parent reads it
    EXPECT_EQ(death.kind, Death::Kind::kDamaged);
  }
  for (const auto& [item, result] : log.results) EXPECT_EQ(result, std::to_string(item));
}

TEST(IsolateFrom, ClosedDescriptorsLoseTheVerdict) {
  expect_lost(run_with([] { close_range(3, ~0u, 0); }), {Death::Kind::kExit, 1});
}

// A process that code under test begins: it holds the pipe, and the work is done all the same.
TEST(IsolateFrom, AProcessThatLivesOnHoldsNothingUp) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Log log = run_with([&] {
    if (fork() == 0) {
      close(ends[0]);
      while (true) pause();  // who waits for it waits for ever
    }
  });
  EXPECT_TRUE(log.deaths.empty());
  EXPECT_EQ(log.results.size(), 5u);
  close(ends[1]);
  // Ours is closed: the pipe ends when that process does.
  pollfd end{.fd = ends[0], .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&end, 1, 10'000), 1) << "it is left";
  close(ends[0]);
}

TEST(IsolateFrom, AProcessThatLivesOnBehindOneThatEnds) {
  const Log log = run_with([] {
    if (fork() == 0) {
      while (true) pause();
    }
    _exit(0);
  });
  expect_lost(log, {Death::Kind::kExit, 0});
}

// A copy of the worker that returns from the work as the worker does: it must not speak for it.
TEST(IsolateFrom, ACopyOfTheProcessThatGoesOn) {
  const Log log = run_with([] {
    if (fork() > 0) usleep(50'000);
  });
  EXPECT_TRUE(log.deaths.empty());
  EXPECT_EQ(log.results.size(), 5u);
  EXPECT_EQ(log.begun, 5u);
}

TEST(IsolateFrom, WhatIsPrintedOnStdout) {
  testing::internal::CaptureStdout();
  std::printf("of the parent, not yet written ");
  const Log log = run_with([] {
    std::ignore = write(STDOUT_FILENO, "noise\n", 6);
    std::printf("noise\n");
    char byte = 0;
    EXPECT_EQ(read(STDIN_FILENO, &byte, 1), 0);
    std::exit(0);
  });
  std::fflush(stdout);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "of the parent, not yet written ");
  expect_lost(log, {Death::Kind::kExit, 0});
}

// ---- SIGKILL, which need not have come from what is under test ----

// Dies of it over item 1, so many times; what the system's count of such deaths does meanwhile.
Log run_killed(std::uint64_t times, const std::function<std::int64_t()>& oom_kills) {
  const SharedArray<std::atomic<std::uint64_t>> tries(1);
  return run_logged(
      {.items = 3,
       .seconds_per_item = 10,
       .oom_kills = oom_kills,
       .work = [&](std::uint64_t item, unsigned, std::atomic<Activity>& activity) -> Result {
         activity = Activity::kCompiling;
         if (item == 1 && tries[0]++ < times) raise(SIGKILL);
         return std::to_string(item);
       }});
}

TEST(IsolateFrom, AnItemWhoseProcessWasKilledIsTriedOnceMore) {
  const Log once = run_killed(1, oom_kills);
  EXPECT_EQ(once.results.size(), 3u);
  EXPECT_TRUE(once.deaths.empty());
  EXPECT_EQ(once.begun, 3u);
}

TEST(IsolateFrom, AnItemThatIsKilledTwiceIsLost) {
  const Log twice = run_killed(2, [] { return 7; });
  EXPECT_EQ(twice.results.size(), 2u);
  ASSERT_EQ(twice.deaths.size(), 1u);
  EXPECT_EQ(twice.deaths.at(1), (Death{Death::Kind::kSignal, SIGKILL}));
  EXPECT_FALSE(is_our_failure({.activity = twice.activities.at(1), .death = twice.deaths.at(1)}));
  EXPECT_EQ(twice.begun, 3u);
}

// The system killed something for want of memory meanwhile, or does not say: nobody's finding.
TEST(IsolateFrom, WhatTheSystemKilledIsNoFinding) {
  std::int64_t count = 0;
  for (const Log& log :
       {run_killed(2, [&] { return ++count; }), run_killed(2, [] { return -1; })}) {
    EXPECT_EQ(log.results.size(), 2u);
    ASSERT_EQ(log.deaths.size(), 1u);
    EXPECT_EQ(log.deaths.at(1).kind, Death::Kind::kKilledFromOutside);
    EXPECT_TRUE(is_our_failure({.activity = Activity::kCompiling, .death = log.deaths.at(1)}));
  }
}

// More memory than the machine has is not to be had: what asks for it is told so.
TEST(Isolate, ChildrenGetSoMuchMemoryAndNoMore) {
  const Log log =
      run_logged({.items = 1,
                  .seconds_per_item = 10,
                  .memory = std::uint64_t{256} << 20,
                  .work = [](std::uint64_t, unsigned, std::atomic<Activity>&) -> Result {
                    const auto size = std::size_t{512} << 20;
                    void* const got =
                        mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                    return got == MAP_FAILED ? "none" : "some";
                  }});
  EXPECT_EQ(log.results.at(0), "none");
}

// A verdict that cannot be read is none.
TEST(IsolateFrom, AResultThatIsNoneIsDamage) {
  std::map<std::uint64_t, Death> deaths;
  isolate_detail::run(
      {.items = 3,
       .work = [](std::uint64_t item, unsigned, std::atomic<Activity>&) -> Result {
         return item == 1 ? "bad" : "good";
       },
       .accept = [](std::uint64_t, std::string_view bytes) { return bytes == "good"; },
       .on_loss = [&](std::uint64_t item, const Loss& loss) { deaths[item] = loss.death; },
       .on_tick = {}});
  ASSERT_EQ(deaths.size(), 1u);
  EXPECT_EQ(deaths.begin()->second.kind, Death::Kind::kDamaged);
}

}  // namespace
}  // namespace plumb::harness
