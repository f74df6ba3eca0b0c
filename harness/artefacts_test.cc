// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/artefacts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/case_text.h"
#include "gen/generate.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

class ArtefactFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }
  void put(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (directory_ / name).string();
  }
  [[nodiscard]] auto read_all() const {
    return read_artefacts(std::vector<std::string>{directory_.string()});
  }

  fs::path directory_ = fs::temp_directory_path() / ("plumb-artefacts-" + std::to_string(getpid()));
};

const std::string kHead = ".case 1\n.program p\n.function main\n";
const std::string kPlain = kHead + " r0 = 7\n exit\n";

TEST_F(ArtefactFiles, AreCasesTextOrEntropyAndLogsAreNone) {
  put("a.bpf", kPlain);
  put("crash-1", kPlain);
  put("crash-2", "no case at all");
  put("fuzz.log", "log");
  put("a.txt", "report");
  const auto read = read_all();
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->cases.size(), 3u);
  EXPECT_EQ(read->cases[0].name, "a");
  EXPECT_EQ(read->cases[1].value, *parse_case(kPlain));
  const std::string entropy = "no case at all";
  EXPECT_EQ(read->cases[2].value,
            gen::generate(std::vector<std::uint8_t>(entropy.begin(), entropy.end())));
  EXPECT_TRUE(read->notes.empty());
  EXPECT_TRUE(read->passed_over.empty());
}

// One bad file of a directory is no reason to refuse the others.
TEST_F(ArtefactFiles, WhatCannotBeUsedIsPassedOverInADirectoryAndNamed) {
  put("a.bpf", "no case at all");
  put("b.bpf", kPlain);
  put("large", std::string(kMaxCaseText + 1, 'x'));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", path("zero"));
  fs::create_symlink("nowhere", path("dangling"));
  const auto read = read_all();
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->cases.size(), 1u);
  EXPECT_EQ(read->cases[0].name, "b");
  ASSERT_EQ(read->passed_over.size(), 5u);
  EXPECT_TRUE(read->passed_over[0].starts_with(path("a.bpf") + ":1:1: ")) << read->passed_over[0];
  EXPECT_TRUE(read->passed_over[1].starts_with(path("dangling"))) << read->passed_over[1];
  EXPECT_TRUE(read->passed_over[2].contains("is larger than")) << read->passed_over[2];
  EXPECT_EQ(read->passed_over[3], path("pipe") + ": is no regular file");
  EXPECT_EQ(read->passed_over[4], path("zero") + ": is no regular file");
}

TEST_F(ArtefactFiles, WhatCannotBeUsedIsAnErrorWhenItWasNamed) {
  put("a.bpf", "no case at all");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  for (const std::string& name : {path("a.bpf"), path("pipe"), path("missing"), directory_.string(),
                                  std::string("/dev/zero")}) {
    const auto read = read_artefact(name);
    ASSERT_FALSE(read.has_value()) << name;
    EXPECT_TRUE(read.error().str().starts_with(name)) << read.error().str();
  }
  EXPECT_FALSE(read_artefacts(std::vector<std::string>{path("pipe")}).has_value());
}

TEST_F(ArtefactFiles, ACaseWithAMistakeIsEntropyAndSaidToBe) {
  put("crash-1", kHead + " r0 = seven\n exit\n");
  const auto read = read_all();
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->notes.size(), 1u);
  EXPECT_TRUE(read->notes[0].starts_with(path("crash-1") + ":4:")) << read->notes[0];
  EXPECT_TRUE(read->notes[0].ends_with(" (read as entropy)")) << read->notes[0];
}

}  // namespace
}  // namespace plumb::harness
