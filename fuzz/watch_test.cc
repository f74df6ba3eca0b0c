// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/watch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace plumb::fuzz {
namespace {

namespace fs = std::filesystem;

class WatchTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }

  [[nodiscard]] std::string prefix() const { return directory_.string() + "/x-"; }
  void put(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
  }

  // Starts what a target's main() would: the status that its caller sees.
  [[nodiscard]] pid_t start(const std::function<void(Watch&)>& target) const {
    const pid_t process = fork();
    if (process != 0) return process;
    Watch watch;
    const auto status = watch.fork_target({.artefact_prefix = prefix(), .exact_artefact = {}});
    if (status) _exit(*status);
    target(watch);
    _exit(0);
  }
  [[nodiscard]] static int status_of(pid_t process) {
    int status = 0;
    EXPECT_EQ(waitpid(process, &status, 0), process);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }
  [[nodiscard]] int run(const std::function<void(Watch&)>& target) const {
    return status_of(start(target));
  }
  // What lies in the directory.
  [[nodiscard]] std::vector<std::string> artefacts() const {
    std::vector<std::string> contents;
    for (const auto& file : fs::directory_iterator(directory_)) {
      std::ifstream bytes(file.path(), std::ios::binary);
      contents.emplace_back(std::istreambuf_iterator<char>(bytes),
                            std::istreambuf_iterator<char>());
    }
    return contents;
  }

  fs::path directory_ = fs::temp_directory_path() / ("plumb-watch-" + std::to_string(getpid()));
};

void judge(Watch& watch, const std::string& input, const std::function<void()>& what = {}) {
  watch.begin_input(std::span(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()));
  if (what) what();
  watch.end_input();
}

TEST_F(WatchTest, ATargetThatComesToItsEndIsPassedThrough) {
  for (const int status : {0, 1, 77}) {
    EXPECT_EQ(run([&](Watch& watch) {
                judge(watch, "one");
                judge(watch, "two");
                watch.end();
                _exit(status);
              }),
              status);
  }
  EXPECT_TRUE(artefacts().empty());
}

TEST_F(WatchTest, AnInputThatEndsTheProcessIsKept) {
  const std::string input("zero \0 and \xff", 12);
  for (const std::function<void()>& end : std::vector<std::function<void()>>{
           [] { _exit(0); },
           [] { _exit(3); },
           [] { _exit(77); },
           [] { execl("/bin/true", "true", nullptr); },
           [] { std::thread([] { _exit(0); }).join(); },
           [] { raise(SIGKILL); },
       }) {
    EXPECT_EQ(run([&](Watch& watch) {
                judge(watch, "harmless");
                judge(watch, input, end);
                watch.end();
              }),
              77);
    EXPECT_EQ(artefacts(), std::vector{input});
    TearDown();
    SetUp();
  }
}

TEST_F(WatchTest, WhatTheEngineHasKeptIsNotKeptTwice) {
  for (const char* name : {"x-crash-abc", "x-timeout-1", "x-oom-2", "x-leak-3"}) {
    EXPECT_EQ(run([&](Watch& watch) {
                judge(watch, "input", [&] {
                  put(name, "input");
                  _exit(70);
                });
              }),
              70);
    EXPECT_EQ(artefacts().size(), 1u) << name;
    TearDown();
    SetUp();
  }
  // Of another input, or no artefact at all.
  put("x-crash-abc", "other");
  put("crash-abc", "input");
  put("x-slow-unit-abc", "input");
  EXPECT_EQ(run([](Watch& watch) { judge(watch, "input", [] { _exit(70); }); }), 77);
  EXPECT_EQ(artefacts().size(), 4u);
}

TEST_F(WatchTest, AnEndBetweenInputsIsNoSuccess) {
  EXPECT_EQ(run([](Watch&) { _exit(0); }), 77);  // a plugin's constructor, say
  EXPECT_EQ(run([](Watch& watch) {
              judge(watch, "input");
              _exit(0);
            }),
            77);
  EXPECT_EQ(run([](Watch& watch) {
              judge(watch, "input");
              _exit(2);
            }),
            2);
  EXPECT_EQ(run([](Watch&) { raise(SIGKILL); }), 128 + SIGKILL);
  EXPECT_TRUE(artefacts().empty());
}

TEST_F(WatchTest, ProcessesThatTheTargetBeganSayNothing) {
  EXPECT_EQ(run([](Watch& watch) {
              judge(watch, "input", [] {
                if (fork() > 0) _exit(0);
              });
              watch.end();
            }),
            77);
  EXPECT_EQ(artefacts(), std::vector<std::string>{"input"});
  EXPECT_EQ(run([](Watch& watch) {
              if (fork() == 0) {
                watch.end();
                _exit(0);
              }
              usleep(20'000);
            }),
            77);
}

TEST_F(WatchTest, SignalsThatAskItToEndAreTheTargets) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t process = start([&](Watch& watch) {
      signal(number, [](int) { _exit(72); });
      judge(watch, "input", [&] {
        EXPECT_EQ(write(ends[1], "x", 1), 1);
        while (true) pause();
      });
    });
    char byte = 0;
    ASSERT_EQ(read(ends[0], &byte, 1), 1);
    kill(process, number);
    EXPECT_EQ(status_of(process), 72);
    EXPECT_TRUE(artefacts().empty());
    close(ends[0]);
    close(ends[1]);
  }
}

TEST_F(WatchTest, TheTargetDoesNotOutliveTheWatch) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t process = start([&](Watch&) {
    close(ends[0]);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    while (true) pause();
  });
  close(ends[1]);
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  kill(process, SIGKILL);
  EXPECT_EQ(waitpid(process, nullptr, 0), process);
  EXPECT_EQ(read(ends[0], &byte, 1), 0);  // the last that holds the other end is gone
  close(ends[0]);
}

}  // namespace
}  // namespace plumb::fuzz
