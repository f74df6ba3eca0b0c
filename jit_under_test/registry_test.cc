// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "jit_under_test/arena.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::jit {
namespace {

namespace fs = std::filesystem;

// Two directories of plugins: "one" and "two".
class Registry : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("plumb-registry-") +
             testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    for (const char* directory : {"one", "two"}) fs::create_directories(root_ / directory);
  }
  void TearDown() override { fs::remove_all(root_); }

  // Every copy is a library of its own to the loader.
  [[nodiscard]] std::string put(const std::string& file) const {
    fs::copy_file(PLUMB_TESTING_PLUGINS "/LIE_NONE.so", root_ / file);
    return (root_ / file).string();
  }
  [[nodiscard]] std::string both() const {
    return (root_ / "one").string() + ":" + (root_ / "two").string();
  }

  fs::path root_;
};

TEST_F(Registry, ListsThePluginsOfAllDirectoriesByName) {
  (void)put("two/a.so");
  (void)put("one/b.so");
  (void)put("two/c.so");
  std::ofstream(root_ / "one" / "README") << "no plugin\n";
  const auto jits = list_jits(both());
  ASSERT_EQ(jits.size(), 3U);
  EXPECT_EQ(jits[0].name, "a");
  EXPECT_EQ(jits[1].name, "b");
  EXPECT_EQ(jits[2].name, "c");
  for (const JitEntry& jit : jits) EXPECT_TRUE(jit.available) << jit.reason;
  EXPECT_EQ(jits[0].path, (root_ / "two/a.so").string());
}

TEST_F(Registry, TheEarlierDirectoryWinsAndTheOtherIsReported) {
  const std::string first = put("one/same.so");
  const std::string second = put("two/same.so");
  const auto jits = list_jits(both());
  ASSERT_EQ(jits.size(), 2U);
  EXPECT_TRUE(jits[0].available);
  EXPECT_EQ(jits[0].path, first);
  EXPECT_FALSE(jits[1].available);
  EXPECT_EQ(jits[1].reason, second + " is hidden by " + first);
  const auto opened = open_jits(both(), "same");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->size(), 1U);
}

TEST_F(Registry, DirectoriesMayBeMissingOrEmpty) {
  (void)put("two/a.so");
  EXPECT_EQ(list_jits((root_ / "none").string() + "::" + both()).size(), 1U);
  EXPECT_TRUE(list_jits("").empty());
}

TEST_F(Registry, GlobsReachAllDirectories) {
  (void)put("one/linux-a-x86_64.so");
  (void)put("two/linux-b-x86_64.so");
  (void)put("two/other.so");
  EXPECT_EQ(open_jits(both(), "linux-*")->size(), 2U);
  EXPECT_EQ(open_jits(both(), "all")->size(), 3U + reference::names().size());
  EXPECT_EQ(open_jits(both(), "other,linux-a-*")->size(), 2U);
}

TEST_F(Registry, AnUnknownNameNamesTheKnownOnes) {
  (void)put("one/a.so");
  (void)put("two/b.so");
  const auto jits = open_jits(both(), "a,c");
  ASSERT_FALSE(jits);
  EXPECT_EQ(jits.error().message, "no JIT is called 'c'; known: a, b, reference:<layout>");
}

TEST_F(Registry, AFileThatIsNoPluginIsListedWithTheReason) {
  std::ofstream(root_ / "one" / "broken.so") << "text\n";
  const auto jits = list_jits(both());
  ASSERT_EQ(jits.size(), 1U);
  EXPECT_FALSE(jits[0].available);
  EXPECT_NE(jits[0].reason, "");
  EXPECT_FALSE(open_jits(both(), "broken"));
}

// ---- Arenas ----

constexpr std::uint64_t kWanted = 0x3000'0000;  // by the testing plugin

std::uint64_t arena_of(Jit& jit) {
  const auto value = parse_case(".case 1\n.program p\n.function main\n r0 = 0\n exit\n");
  const LoadOutcome outcome = jit.load(*value);
  return outcome.image != nullptr ? outcome.image->image().arena.address : 0;
}

TEST_F(Registry, AlonePluginsGetTheArenaTheyWant) {
  const auto jit = open_plugin(put("one/a.so"));
  ASSERT_TRUE(jit);
  EXPECT_EQ(arena_of(**jit), kWanted);
}

TEST_F(Registry, ArenasMoveAwayFromEachOtherTheSameWayEveryTime) {
  for (const char* file : {"one/a.so", "one/b.so", "two/c.so"}) (void)put(file);
  std::vector<std::uint64_t> first_round;
  for (int round = 0; round < 2; ++round) {
    const auto jits = open_jits(both(), "a,b,c");
    ASSERT_TRUE(jits);
    std::vector<std::uint64_t> arenas;
    for (const auto& jit : *jits) arenas.push_back(arena_of(*jit));
    EXPECT_EQ(arenas[0], kWanted);
    EXPECT_NE(arenas[1], arenas[2]);
    if (round == 0) first_round = arenas;
    EXPECT_EQ(arenas, first_round);
  }
}

TEST_F(Registry, APluginWithoutRoomSaysSo) {
  // From the first place up to AddressSanitizer's shadow.
  constexpr std::uint64_t kFirstPlace = 0x1000'0000;
  const auto all = Arena::map({kFirstPlace, 0x7fff'0000 - kFirstPlace});
  ASSERT_TRUE(all);
  const auto jit = open_plugin(put("one/a.so"));
  ASSERT_FALSE(jit);
  EXPECT_NE(jit.error().message.find("nor is there another place"), std::string::npos);
}

TEST_F(Registry, APluginIsOpenOnceAtATime) {
  const std::string file = put("one/a.so");
  auto first = open_plugin(file);
  ASSERT_TRUE(first);
  const auto second = open_plugin(file);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "it is open already");
  first->reset();
  EXPECT_TRUE(open_plugin(file));
}

}  // namespace
}  // namespace plumb::jit
