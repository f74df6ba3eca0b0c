// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/call_in_child.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace plumb::harness {
namespace {

std::string error_of(const std::function<std::string()>& what, unsigned seconds = 10) {
  const auto line = call_in_child(what, seconds);
  return line ? "returned " + *line : line.error().message;
}

TEST(CallInChild, BringsTheLineOrTheEndOfTheChild) {
  EXPECT_EQ(error_of([] { return std::string("fine"); }), "returned fine");
  EXPECT_EQ(error_of([] { return std::string(); }), "it ended without a word");
  EXPECT_EQ(error_of([]() -> std::string {
              (void)raise(SIGKILL);
              return "alive";
            }),
            "killed by signal 9 (KILL)");
  EXPECT_EQ(error_of([]() -> std::string { _exit(0); }), "ended without a verdict (status 0)");
  // What the child began holds nothing up.
  EXPECT_EQ(error_of([]() -> std::string {
              if (fork() == 0) {
                while (true) pause();
              }
              _exit(0);
            }),
            "ended without a verdict (status 0)");
  EXPECT_EQ(error_of(
                []() -> std::string {
                  while (true) pause();
                },
                1),
            "not ready after 1 s");
}

}  // namespace
}  // namespace plumb::harness
