// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace plumb {

void check_failed(const char* file, int line, std::string_view condition) {
  fmt::print(stderr, "plumb: internal error at {}:{}: {}\n", file, line, condition);
  std::fflush(nullptr);
  std::_Exit(3);
}

}  // namespace plumb
