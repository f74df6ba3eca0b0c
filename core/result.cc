// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/result.h"

#include <fmt/format.h>

namespace plumb {

std::string Error::str() const {
  std::string place = file;
  if (line > 0) place += fmt::format(":{}", line);
  if (column > 0) place += fmt::format(":{}", column);
  return place.empty() ? message : place + ": " + message;
}

}  // namespace plumb
