// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/session.h"

#include <fmt/format.h>

#include <cstdio>

#include "core/printable.h"

namespace plumb::tools {

int unusable(const std::string& message) {
  constexpr std::size_t kMost = 8192;  // paths are long
  fmt::print(stderr, "plumb: {}\n", printable(message, kMost));
  return kStatusUnusable;
}

}  // namespace plumb::tools
