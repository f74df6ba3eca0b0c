// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "core/rng.h"
#include "core/testing_case.h"

namespace plumb {
namespace {

constexpr std::string_view kFragments[] = {".array ",
                                           ".slot ",
                                           ".region ",
                                           ".bytes ",
                                           ".context ",
                                           ".program ",
                                           ".function ",
                                           ".stack ",
                                           ".enter ",
                                           ".expect ",
                                           ".waive ",
                                           "goto ",
                                           "call ",
                                           " ll",
                                           "r10",
                                           "w3",
                                           "0x",
                                           "-",
                                           "99999999999999999999",
                                           "\n",
                                           "//",
                                           ":",
                                           "L0:"};

void mutate(std::string& text, Rng& rng) {
  const std::size_t at = rng.below(text.size() + 1);
  switch (rng.below(6)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(rng.below(256));
      break;
    case 1:
      text.erase(at, rng.below(20));
      break;
    case 2:
      text.insert(at, kFragments[rng.below(std::size(kFragments))]);
      break;
    case 3:
      text.insert(at, text.substr(rng.below(text.size() + 1), rng.below(100)));
      break;
    case 4:
      text.insert(at, 1, static_cast<char>(rng.below(256)));
      break;
    default:
      if (rng.below(20) == 0) text.resize(at);
      break;
  }
}

// A place in the text, or just behind the end of a line.
bool is_in(const std::string& text, const Error& error) {
  const auto lines = static_cast<int>(std::ranges::count(text, '\n')) + 1;
  return error.line >= 1 && error.line <= lines && error.column >= 1 &&
         error.column <= static_cast<int>(text.size()) + 1;
}

TEST(CaseMutations, GiveACaseOrAnErrorWithItsPlace) {
  constexpr int kTexts = 200;
  constexpr int kMutationsPerText = 100;
  int cases = 0;
  int errors = 0;
  for (int i = 0; i < kTexts; ++i) {
    Rng rng(static_cast<std::uint64_t>(i));
    testing::Choices choices = testing::random_choices(rng.next(), 200);
    const std::string original = print_case(testing::random_case(choices));
    for (int n = 0; n < kMutationsPerText; ++n) {
      std::string text = original;
      for (std::uint64_t m = rng.below(3) + 1; m > 0; --m) mutate(text, rng);
      const Result<Case> result = parse_case(text);
      if (result) {
        ++cases;
        const Result<Case> again = parse_case(print_case(*result));
        ASSERT_TRUE(again.has_value()) << text << "\n" << again.error().str();
        ASSERT_EQ(*again, *result) << text;
      } else {
        ++errors;
        ASSERT_TRUE(is_in(text, result.error())) << text << "\n" << result.error().str();
        ASSERT_FALSE(result.error().message.empty());
      }
    }
  }
  // Both outcomes are met often: the mutations neither miss nor destroy everything.
  EXPECT_GT(cases, 1000);
  EXPECT_GT(errors, 1000);
}

}  // namespace
}  // namespace plumb
