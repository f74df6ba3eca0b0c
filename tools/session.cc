// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/session.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace plumb::tools {

int unusable(const std::string& message) {
  fmt::print(stderr, "plumb: {}\n", message);
  return kStatusUnusable;
}

std::string write_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".part";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return fmt::format("{}: {}", path, std::strerror(errno));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string reason = fmt::format("{}: {}", path, std::strerror(errno));
    std::remove(temporary.c_str());
    return reason;
  }
  return {};
}

}  // namespace plumb::tools
