// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/isolate.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <tuple>

namespace plumb::harness {
namespace {

// What a loop reported, item by item.
struct Log {
  std::map<std::uint64_t, std::string> results;
  std::map<std::uint64_t, Death> deaths;
  std::map<std::uint64_t, Activity> activities;
  std::uint64_t begun = 0;
};

Log run_logged(IsolatedLoop loop) {
  Log log;
  loop.on_result = [&](std::uint64_t item, std::string_view result) { log.results[item] = result; };
  loop.on_death = [&](std::uint64_t item, Activity activity, const Death& death) {
    log.deaths[item] = death;
    log.activities[item] = activity;
  };
  log.begun = run_isolated(loop);
  return log;
}

TEST(Isolate, GoesOnBehindItemsThatKillTheirProcess) {
  for (const unsigned jobs : {1u, 3u}) {
    const Log log =
        run_logged({.items = 20,
                    .jobs = jobs,
                    .seconds_per_item = 10,
                    .work =
                        [](std::uint64_t item, unsigned, std::atomic<Activity>& activity) {
                          activity = Activity::kCompiling;
                          if (item == 4) raise(SIGKILL);
                          if (item == 11) _exit(7);
                          activity = Activity::kChecking;
                          return item % 2 == 0 ? std::to_string(item) : std::string();
                        },
                    .on_result = {},
                    .on_death = {},
                    .on_tick = {}});
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
  const Log log = run_logged({.items = 3,
                              .jobs = 1,
                              .seconds_per_item = 0.3,
                              .work =
                                  [](std::uint64_t item, unsigned, std::atomic<Activity>&) {
                                    while (item == 1) pause();
                                    return std::string("done");
                                  },
                              .on_result = {},
                              .on_death = {},
                              .on_tick = {}});
  EXPECT_EQ(log.results.size(), 2u);
  ASSERT_TRUE(log.deaths.contains(1));
  EXPECT_EQ(log.deaths.at(1).kind, Death::Kind::kTimeout);
}

TEST(Isolate, StopsWhenToldTo) {
  int ticks = 0;
  const Log log = run_logged({.items = ~std::uint64_t{0},
                              .jobs = 2,
                              .seconds_per_item = 10,
                              .work =
                                  [](std::uint64_t, unsigned, std::atomic<Activity>&) {
                                    usleep(1000);
                                    return std::string();
                                  },
                              .on_result = {},
                              .on_death = {},
                              .on_tick = [&] { return ++ticks < 3; }});
  EXPECT_GT(log.begun, 2u);
  EXPECT_LT(log.begun, 10'000u);
}

TEST(Isolate, ADeathCostsOneItemOfItsGroup) {
  for (const unsigned jobs : {1u, 2u, 5u}) {
    const Log log = run_logged({.items = 12,
                                .jobs = jobs,
                                .group = 3,
                                .seconds_per_item = 10,
                                .work =
                                    [](std::uint64_t item, unsigned job, std::atomic<Activity>&) {
                                      if (item == 4 || item == 5 || item == 9) raise(SIGKILL);
                                      return std::to_string(job);
                                    },
                                .on_result = {},
                                .on_death = {},
                                .on_tick = {}});
    EXPECT_EQ(log.deaths.size(), 3u);
    EXPECT_EQ(log.results.size(), 9u);
    for (const auto& [item, job] : log.results) {
      EXPECT_EQ(job, std::to_string(item / 3 % jobs)) << item;
    }
  }
}

TEST(Isolate, StopsBetweenGroups) {
  const Log log = run_logged({.items = ~std::uint64_t{0},
                              .jobs = 2,
                              .group = 7,
                              .seconds_per_item = 10,
                              .work =
                                  [](std::uint64_t item, unsigned, std::atomic<Activity>&) {
                                    usleep(1000);
                                    if (item % 7 == 2) raise(SIGKILL);
                                    return std::string("x");
                                  },
                              .on_result = {},
                              .on_death = {},
                              .on_tick = [ticks = 0]() mutable { return ++ticks < 3; }});
  std::map<std::uint64_t, int> items_of_group;
  for (const auto& row : log.results) ++items_of_group[row.first / 7];
  for (const auto& row : log.deaths) ++items_of_group[row.first / 7];
  EXPECT_FALSE(items_of_group.empty());
  for (const auto& [group, items] : items_of_group) EXPECT_EQ(items, 7) << group;
}

// A terminal sends them to all processes; the parent decides.
TEST(Isolate, RequestsToStopPassTheChildrenBy) {
  const IsolatedResult result = run_isolated(10, [](std::atomic<Activity>&) {
    raise(SIGINT);
    raise(SIGTERM);
    return std::string("still here");
  });
  EXPECT_FALSE(result.died);
  EXPECT_EQ(result.output, "still here");
}

TEST(Isolate, NoChildOutlivesItsParent) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    close(ends[0]);
    std::ignore = run_isolated(600, [&](std::atomic<Activity>&) -> std::string {
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
  const IsolatedResult result =
      run_isolated(10, [&](std::atomic<Activity>&) { return large + "y"; });
  EXPECT_FALSE(result.died);
  EXPECT_EQ(result.output, large + "y");
}

TEST(Isolate, DeathsReadWell) {
  EXPECT_EQ((Death{Death::Kind::kSignal, SIGSEGV}).str(), "killed by signal 11 (SEGV)");
  EXPECT_EQ((Death{Death::Kind::kExit, 3}).str(), "ended with status 3");
  EXPECT_EQ((Death{Death::Kind::kTimeout, 0}).str(), "does not end");
}

}  // namespace
}  // namespace plumb::harness
