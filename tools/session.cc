// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/session.h"

#include <fmt/format.h>

#include <cstdio>

namespace plumb::tools {

int unusable(const std::string& message) {
  fmt::print(stderr, "plumb: {}\n", message);
  return kStatusUnusable;
}

}  // namespace plumb::tools
