// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/library.h"

#include <utility>

#include "core/printable.h"

namespace plumb::jit {

Result<Library> load_library(const std::string& path) {
  // A path without a slash would make dlopen search the system's directories.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  Library library(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (library == nullptr) {
    constexpr std::size_t kMost = 2048;  // it holds paths
    const char* reason = dlerror();
    return std::unexpected(
        Error{.file = path,
              .line = 0,
              .column = 0,
              .message = reason != nullptr ? printable(reason, kMost) : "cannot be loaded"});
  }
  return library;
}

}  // namespace plumb::jit
