// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <system_error>

#include "jit_under_test/linux/trees/cache.h"

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kVersionVariables{"VERSION", "PATCHLEVEL", "SUBLEVEL",
                                                            "EXTRAVERSION"};
constexpr std::size_t kMakefileHead = 100;  // lines; the version is on the first ones

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The values of kVersionVariables, empty where the Makefile does not set them.
std::array<std::string, kVersionVariables.size()> read_version(const fs::path& makefile) {
  std::array<std::string, kVersionVariables.size()> values;
  std::ifstream in(makefile);
  std::string line;
  for (std::size_t n = 0; n < kMakefileHead && std::getline(in, line); ++n) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view variable = trim(std::string_view(line).substr(0, equals));
    const auto* found = std::ranges::find(kVersionVariables, variable);
    if (found == kVersionVariables.end()) continue;
    values[static_cast<std::size_t>(found - kVersionVariables.begin())] =
        trim(std::string_view(line).substr(equals + 1));
  }
  return values;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<std::string> tree_version(const fs::path& tree) {
  std::error_code error;
  if (!fs::is_directory(tree, error)) return fail(tree.string() + ": no such directory");
  const auto [version, patchlevel, sublevel, extra] = read_version(tree / "Makefile");
  if (!is_number(version) || !is_number(patchlevel)) {
    return fail(tree.string() + ": not a kernel tree: its Makefile has no VERSION and PATCHLEVEL");
  }
  if (!fs::is_regular_file(tree / "kernel/bpf/core.c", error)) {
    return fail(tree.string() + ": not a kernel tree: it has no kernel/bpf/core.c");
  }
  return fmt::format("{}.{}.{}{}", version, patchlevel, is_number(sublevel) ? sublevel : "0",
                     extra);
}

std::string default_tree_name(const std::string& version) {
  std::string name = version;
  for (char& c : name) {
    if (!is_name_character(c)) c = '-';
  }
  return name + "-user";
}

bool is_archive_name(const fs::path& file) {
  const std::string name = file.filename().string();
  return std::ranges::any_of(
      std::array{".tar", ".tar.xz", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2"},
      [&name](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace plumb::jit::trees
