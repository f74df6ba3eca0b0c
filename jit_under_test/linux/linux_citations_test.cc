// SPDX-License-Identifier: GPL-2.0-or-later
// What oracle/reasons.inc cites is there: each function is defined in the verifier.c of its
// version.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "oracle/reasons.h"

namespace plumb_linux_test {
namespace {

using plumb::oracle::ReasonInfo;

std::string verifier_of(const char* version) {
  std::ifstream file(std::string(PLUMB_LINUX_TREES) + "/linux-" + version +
                     "/kernel/bpf/verifier.c");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of "f(), g() of arraymap.c": f, for only verifier.c is at hand.
std::vector<std::string> functions_of_verifier(std::string_view where) {
  std::vector<std::string> names;
  for (std::size_t end = where.find("()"); end != std::string_view::npos;
       end = where.find("()", end + 2)) {
    if (where.substr(end + 2).starts_with(" of ")) continue;
    const std::size_t space = where.rfind(' ', end);
    const std::size_t begin = space == std::string_view::npos ? 0 : space + 1;
    names.emplace_back(where.substr(begin, end - begin));
  }
  return names;
}

// At the beginning of a line: "static int name(".
bool defines(std::string_view text, const std::string& name) {
  const std::string call = name + "(";
  for (std::size_t at = text.find(call); at != std::string_view::npos;
       at = text.find(call, at + 1)) {
    const std::size_t line = text.rfind('\n', at) + 1;
    const bool whole = at > 0 && (text[at - 1] == ' ' || text[at - 1] == '*');
    if (whole && text[line] >= 'a' && text[line] <= 'z') return true;
  }
  return false;
}

struct Version {
  const char* name;
  std::string_view ReasonInfo::* column;
};

TEST(LinuxCitations, NameFunctionsThatTheVersionHas) {
  for (const Version& version :
       {Version{"6.1", &ReasonInfo::in_6_1}, Version{"6.12", &ReasonInfo::in_6_12}}) {
    const std::string verifier = verifier_of(version.name);
    ASSERT_FALSE(verifier.empty()) << version.name;
    EXPECT_FALSE(defines(verifier, "no_such_function"));
    int names = 0;
    for (const auto reason : plumb::oracle::all_reasons()) {
      const ReasonInfo& info = reason_info(reason);
      for (const std::string& name : functions_of_verifier(info.*version.column)) {
        ++names;
        EXPECT_TRUE(defines(verifier, name))
            << name << "() of " << version.name << ": " << info.phrase;
      }
    }
    EXPECT_GE(names, 40);
  }
}

// The two rules that contracts are about, in the words that the plugins are built by.
TEST(LinuxCitations, ContractsFollowTheText) {
  const std::string old_text = verifier_of("6.1");
  const std::string new_text = verifier_of("6.12");
  EXPECT_EQ(old_text.find("round_up(stack_depth, 16)"), std::string::npos);
  EXPECT_NE(new_text.find("round_up(stack_depth, 16)"), std::string::npos);
  for (const std::string& text : {old_text, new_text}) {
    EXPECT_NE(text.find("stack_depth, 1), 32)"), std::string::npos);
    EXPECT_EQ(text.find("cannot tail call within callback"), std::string::npos);
  }
}

}  // namespace
}  // namespace plumb_linux_test
