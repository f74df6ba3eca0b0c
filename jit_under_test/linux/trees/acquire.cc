// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/acquire.h"

#include <fmt/format.h>

#include <system_error>

#include "jit_under_test/linux/trees/cache.h"
#include "jit_under_test/linux/trees/tree.h"

namespace plumb::jit::trees {

namespace fs = std::filesystem;

std::vector<std::string> all_archs() { return {"x86_64", "arm64", "riscv64"}; }

std::string plain_name(const fs::path& path) {
  const fs::path normal = (fs::absolute(path) / "").lexically_normal().parent_path();
  std::string text = normal.filename().string();
  for (char& c : text) {
    if (!is_name_character(c)) c = '_';
  }
  return text;
}

Result<std::string> acquire_tree(const BuildTools& tools, const BuildRequest& request,
                                 const fs::path& from,
                                 const std::function<void(const std::string& line)>& progress) {
  std::error_code error;
  const fs::path absolute = fs::absolute(from, error);
  if (fs::is_directory(from, error)) {
    // Through a link, so that no character of the user's path means anything to CMake.
    if (auto version = tree_version(absolute); !version) return version;
    fs::create_directory_symlink(absolute, request.tree, error);
    if (error) return fail(fmt::format("{}: {}", request.tree.string(), error.message()));
    return tree_version(request.tree);
  }
  if (!fs::exists(from, error)) return fail(from.string() + ": no such file or directory");
  if (!is_archive_name(from)) {
    return fail(from.string() + ": neither a directory nor an archive (.tar.xz, .tar.gz, ...)");
  }
  progress(fmt::format("extracting {} (about 10 s)", from.string()));
  const fs::path link = request.scratch / "archive";
  fs::create_symlink(absolute, link, error);
  if (auto done = extract_tree(tools, request, link); !done) {
    return fail(fmt::format("{}: {}", from.string(), done.error().message));
  }
  auto version = tree_version(request.tree);
  if (!version) return fail(from.string() + ": the archive holds no kernel tree");
  return version;
}

Result<std::size_t> collect(const BuildRequest& request, const std::vector<BuiltJit>& jits) {
  const fs::path directory = request.scratch / request.name;
  std::error_code error;
  fs::create_directory(directory, error);
  std::size_t count = 0;
  for (const BuiltJit& jit : jits) {
    if (jit.plugin.empty()) continue;
    const fs::path to = directory / directory_of(jit.kind);
    fs::create_directory(to, error);
    fs::rename(jit.plugin, to / jit.plugin.filename(), error);
    if (error) return fail(fmt::format("{}: {}", jit.plugin.string(), error.message()));
    count += jit.kind == BuiltJit::Kind::kJit ? 1 : 0;
  }
  return count;
}

}  // namespace plumb::jit::trees
