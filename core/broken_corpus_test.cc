// SPDX-License-Identifier: GPL-2.0-or-later
//
// corpus/broken holds files that must be refused, each for another reason. PLUMB_BLESS=1 in the
// environment rewrites the expected messages.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/case_text.h"

namespace plumb {
namespace {

constexpr const char* kFolder = "corpus/broken";
constexpr const char* kExpected = "corpus/broken/expected.txt";

std::vector<std::string> broken_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".bpf") files.push_back(entry.path().filename().string());
  }
  std::ranges::sort(files);
  return files;
}

TEST(BrokenCorpus, EveryFileIsRefusedWithItsMessage) {
  const std::vector<std::string> files = broken_files();
  EXPECT_GE(files.size(), 30u);
  std::string messages;
  for (const std::string& file : files) {
    const Result<Case> result = read_case(std::string(kFolder) + "/" + file);
    ASSERT_FALSE(result.has_value()) << file << " is accepted";
    Error error = result.error();
    error.file = file;
    messages += error.str() + "\n";
  }
  if (std::getenv("PLUMB_BLESS") != nullptr) std::ofstream(kExpected) << messages;
  std::ifstream golden(kExpected);
  const std::string expected{std::istreambuf_iterator<char>(golden), {}};
  EXPECT_EQ(messages, expected) << "PLUMB_BLESS=1 rewrites " << kExpected;
}

}  // namespace
}  // namespace plumb
