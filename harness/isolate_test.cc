// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/isolate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>

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
