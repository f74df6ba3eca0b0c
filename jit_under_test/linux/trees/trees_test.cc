// SPDX-License-Identifier: GPL-2.0-or-later
// Adding JITs: names, the cache, kernel trees, processes.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "jit_under_test/linux/trees/cache.h"
#include "jit_under_test/linux/trees/process.h"
#include "jit_under_test/linux/trees/tree.h"

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

class Jits : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("plumb-jits-") +
             testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  [[nodiscard]] std::string read(const fs::path& file) const {
    std::ifstream in(root_ / file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // Installs CACHE/NAME/x.so with the given text.
  [[nodiscard]] Result<std::string> add(const std::string& name, const std::string& text,
                                        bool replace = false) const {
    const auto scratch = Scratch::make(cache());
    EXPECT_TRUE(scratch);
    fs::create_directory(scratch->path() / name);
    std::ofstream(scratch->path() / name / "x.so") << text;
    return install(*scratch, cache(), name, replace);
  }
  [[nodiscard]] fs::path cache() const { return root_ / "cache"; }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(cache()), fs::directory_iterator()));
  }

  fs::path root_;
};

// ---- Names ----

TEST_F(Jits, NamesAreWhatNeedsNoQuoting) {
  for (const char* good : {"6.12", "6.12.117-user", "x", "_", "bpf-next_2", "A.b-C"}) {
    EXPECT_TRUE(check_name(good)) << good;
  }
  const std::string longest(64, 'x');
  EXPECT_TRUE(check_name(longest));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string(".x"), std::string("-x"),
        std::string("a/b"), std::string("a b"), std::string("a:b"), std::string("a;b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("ä"), std::string("$(x)"),
        longest + "x"}) {
    EXPECT_FALSE(check_name(bad)) << bad;
  }
}

// ---- The cache ----

TEST_F(Jits, TheCacheFollowsTheXdgVariables) {
  struct Row {
    const char *xdg, *home, *expected;
  };
  const auto set = [](const char* name, const char* value) {
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  };
  for (const Row& row :
       {Row{"/c", "/h", "/c/plumbline/plugins"}, Row{nullptr, "/h", "/h/.cache/plumbline/plugins"},
        Row{"", "/h", "/h/.cache/plumbline/plugins"},
        Row{"relative", "/h", "/h/.cache/plumbline/plugins"}, Row{nullptr, nullptr, ""},
        Row{"relative", "relative", ""}}) {
    set("XDG_CACHE_HOME", row.xdg);
    set("HOME", row.home);
    EXPECT_EQ(default_cache(), row.expected);
  }
}

TEST_F(Jits, WhatIsAddedIsListedAndCanBeRemoved) {
  ASSERT_TRUE(add("b", "1"));
  ASSERT_TRUE(add("a", "2"));
  EXPECT_EQ(added_names(cache()), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(plugin_search_path("/own", cache()),
            "/own:" + (cache() / "a").string() + ":" + (cache() / "b").string());
  ASSERT_TRUE(remove_added(cache(), "a"));
  EXPECT_EQ(added_names(cache()), std::vector<std::string>{"b"});
  EXPECT_EQ(entries(), 1U);
  const auto again = remove_added(cache(), "a");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "no JITs were added as 'a'; added: b");
  EXPECT_FALSE(remove_added(cache(), ".."));
  EXPECT_FALSE(remove_added("", "a"));
}

TEST_F(Jits, NothingIsReplacedUnlessAskedFor) {
  ASSERT_TRUE(add("a", "old"));
  EXPECT_FALSE(add("a", "new"));
  EXPECT_EQ(read("cache/a/x.so"), "old");
  EXPECT_TRUE(add("a", "new", true));
  EXPECT_EQ(read("cache/a/x.so"), "new");
  EXPECT_TRUE(add("b", "first", true));
  EXPECT_EQ(entries(), 2U);
}

TEST_F(Jits, AnAddThatIsGivenUpLeavesNothing) {
  {
    const auto scratch = Scratch::make(cache());
    ASSERT_TRUE(scratch);
    std::ofstream(scratch->path() / "half") << "built";
    EXPECT_EQ(entries(), 1U);
    EXPECT_TRUE(added_names(cache()).empty());
  }
  EXPECT_EQ(entries(), 0U);
}

TEST_F(Jits, WhatAKilledProcessLeftIsClearedAwayAndALiveOneIsNot) {
  write("cache/.add-killed/file", "x");
  const auto alive = Scratch::make(cache());
  ASSERT_TRUE(alive);
  EXPECT_FALSE(fs::exists(cache() / ".add-killed"));
  const auto other = Scratch::make(cache());
  ASSERT_TRUE(other);
  EXPECT_TRUE(fs::exists(alive->path()));
}

TEST_F(Jits, ACacheMustHaveAUsablePath) {
  EXPECT_FALSE(Scratch::make(""));
  EXPECT_FALSE(Scratch::make(root_ / "a:b"));
  EXPECT_FALSE(Scratch::make(root_ / "a;b"));
  write("file", "");
  EXPECT_FALSE(Scratch::make(root_ / "file"));
}

// ---- Kernel trees ----

constexpr const char* kMakefile =
    "# comment\nVERSION = 6\nPATCHLEVEL = 13\nSUBLEVEL = 0\nEXTRAVERSION = -rc2\nNAME = x\n";

TEST_F(Jits, AKernelTreeHasItsVersionInTheMakefile) {
  write("tree/Makefile", kMakefile);
  write("tree/kernel/bpf/core.c", "");
  EXPECT_EQ(tree_version(root_ / "tree").value(), "6.13.0-rc2");
  EXPECT_EQ(default_tree_name("6.13.0-rc2"), "6.13.0-rc2-user");
  EXPECT_TRUE(check_name(default_tree_name("6.13.0-rc2")));
  EXPECT_EQ(default_tree_name("6.13.0-my tree+"), "6.13.0-my-tree--user");
}

TEST_F(Jits, WhatIsNoKernelTreeIsToldFromOne) {
  struct Row {
    const char *directory, *makefile;
    bool has_core;
    const char* message;
  };
  for (const Row& row : {
           Row{"none", nullptr, false, "no such directory"},
           Row{"empty", nullptr, true, "no VERSION"},
           Row{"other", "all:\n\tcc x.c\n", true, "no VERSION"},
           Row{"named", "VERSION = x\nPATCHLEVEL = 1\n", true, "no VERSION"},
           Row{"half", "VERSION = 6\n", true, "no VERSION"},
           Row{"no-bpf", kMakefile, false, "kernel/bpf/core.c"},
       }) {
    if (row.makefile != nullptr) write(fs::path(row.directory) / "Makefile", row.makefile);
    if (row.has_core) write(fs::path(row.directory) / "kernel/bpf/core.c", "");
    const auto version = tree_version(root_ / row.directory);
    ASSERT_FALSE(version) << row.directory;
    EXPECT_NE(version.error().message.find(row.message), std::string::npos)
        << version.error().message;
  }
}

TEST_F(Jits, ArchivesAreKnownByTheirNames) {
  for (const char* name : {"linux-6.12.tar.xz", "x/linux.tar.gz", "l.tgz", "l.tar", "l.tar.zst"}) {
    EXPECT_TRUE(is_archive_name(name)) << name;
  }
  for (const char* name : {"linux", "linux.zip", "tar", "linux.xz", ""}) {
    EXPECT_FALSE(is_archive_name(name)) << name;
  }
}

// ---- Processes ----

TEST_F(Jits, AProcessGetsItsArgumentsAsTheyAre) {
  const InterruptsHeld held;
  const std::string log = (root_ / "log").string();
  const std::string shell = find_program({"no-such-program", "sh"});
  ASSERT_NE(shell, "");
  EXPECT_EQ(run_process({shell, "-c", "echo \"$1\"; exit 3", "sh", "a b;$(c)"}, log).value(), 3);
  EXPECT_EQ(read("log"), "a b;$(c)\n");
  EXPECT_FALSE(run_process({"/no/such/program"}, log));
  EXPECT_FALSE(run_process({shell, "-c", "kill -9 $$"}, log));
  EXPECT_EQ(find_program({"no-such-program"}), "");
}

TEST_F(Jits, AnInterruptEndsTheProcessAndIsAnError) {
  const InterruptsHeld held;
  kill(getpid(), SIGTERM);  // held back until somebody waits
  const auto status = run_process({find_program({"sleep"}), "60"}, (root_ / "log").string());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "interrupted");
}

}  // namespace
}  // namespace plumb::jit::trees
