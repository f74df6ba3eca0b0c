// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/isolated/strangers.h"

#include <fstream>
#include <iterator>
#include <string_view>

#include "jit_under_test/plugin_mark.h"

namespace plumb::jit {

bool is_ours(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return bytes.find(std::string_view(PLUMB_PLUGIN_MARK)) != std::string::npos;
}

}  // namespace plumb::jit
