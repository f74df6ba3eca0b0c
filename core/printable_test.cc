// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/printable.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

TEST(Printable, IsOneLineWithoutControlCharacters) {
  const struct {
    std::string_view text, shown;
  } rows[] = {
      {"", ""},
      {"no memory left", "no memory left"},
      {"r\xc3\xa9sum\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
       "r\xc3\xa9sum\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"two\nlines\r\n\tand a tab", "two\\nlines\\x0d\\n\\tand a tab"},
      {"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"},
      {std::string_view("nul\0l", 5), "nul\\x00l"},
      {"\x7f \xc2\x9b", "\\x7f \\x9b"},  // DEL, CSI of C1
      {"\xe2\x80\xae"
       "abc",
       "\\u202eabc"},                       // right-to-left override
      {"\xff\xfe", "\\xff\\xfe"},           // no UTF-8
      {"\xc0\xaf", "\\xc0\\xaf"},           // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
      {"cut\xe2\x82", "cut\\xe2\\x82"},
  };
  for (const auto& row : rows) EXPECT_EQ(printable(row.text), row.shown) << row.shown;
}

TEST(Printable, IsCutBetweenCharacters) {
  EXPECT_EQ(printable(std::string(512, 'a')), std::string(512, 'a'));
  EXPECT_EQ(printable(std::string(511, 'a') + "\xc3\xa9"), std::string(511, 'a') + "...");
}

}  // namespace
}  // namespace plumb
