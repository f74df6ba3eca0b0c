// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr std::size_t kMaxName = 64;
constexpr std::string_view kScratchPrefix = ".add-";

// The lock on a directory, or -1 when somebody else has it.
int lock_directory(const fs::path& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return -1;
  if (flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  close(file);
  return -1;
}

// A scratch directory that nobody has locked belongs to a process that was killed.
void clear_left_overs(const fs::path& cache) {
  std::vector<fs::path> old;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(cache, error)) {
    if (entry.path().filename().string().starts_with(kScratchPrefix)) old.push_back(entry.path());
  }
  for (const fs::path& directory : old) {
    const int lock = lock_directory(directory);
    if (lock < 0) continue;
    fs::remove_all(directory, error);
    close(lock);
  }
}

// CMake lists and our own search path give these a meaning.
bool usable_path(std::string_view path) {
  return path.find_first_of(":;\"\\$\n") == std::string_view::npos;
}

std::string_view from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

Result<std::string> move_directory(const fs::path& from, const fs::path& to, unsigned flags) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return to.string();
  return fail(fmt::format("{}: {}", to.string(), std::strerror(errno)));
}

}  // namespace

bool is_name_character(char c) { return kNameCharacters.find(c) != std::string_view::npos; }

Result<std::string> check_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName ||
      name.find_first_not_of(kNameCharacters) != std::string_view::npos || name.front() == '.' ||
      name.front() == '-') {
    return fail(
        fmt::format("'{}' is no name: letters, digits, '.', '_' and '-', at most {}, "
                    "the first a letter, digit or '_'",
                    name, kMaxName));
  }
  return std::string(name);
}

std::string default_cache() {
  // The XDG base directory specification: a relative path is to be ignored.
  const std::string_view cache = from_environment("XDG_CACHE_HOME");
  if (cache.starts_with('/')) return (fs::path(cache) / "plumbline/plugins").string();
  const std::string_view home = from_environment("HOME");
  if (home.starts_with('/')) return (fs::path(home) / ".cache/plumbline/plugins").string();
  return {};
}

std::vector<std::string> added_names(const fs::path& cache) {
  std::vector<std::string> names;
  std::error_code error;
  if (cache.empty()) return names;
  for (const auto& entry : fs::directory_iterator(cache, error)) {
    std::string name = entry.path().filename().string();
    if (entry.is_directory(error) && !name.starts_with('.')) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

std::string plugin_search_path(const std::string& own, const fs::path& cache) {
  std::string path = own;
  for (const std::string& name : added_names(cache)) path += ":" + (cache / name).string();
  return path;
}

Result<Scratch> Scratch::make(const fs::path& cache) {
  if (cache.empty()) return fail("no cache directory: give --cache DIR");
  std::error_code error;
  const fs::path absolute = fs::absolute(cache, error);
  if (error || !usable_path(absolute.string())) {
    return fail(fmt::format("{}: a cache directory may not have any of :;\"\\$ in its path",
                            cache.string()));
  }
  fs::create_directories(absolute, error);
  if (error) return fail(fmt::format("{}: {}", cache.string(), error.message()));
  clear_left_overs(absolute);
  std::string path = (absolute / fmt::format("{}XXXXXX", kScratchPrefix)).string();
  if (mkdtemp(path.data()) == nullptr) {
    return fail(fmt::format("{}: {}", cache.string(), std::strerror(errno)));
  }
  const int lock = lock_directory(path);
  if (lock < 0) return fail(fmt::format("{}: cannot be locked", path));
  return Scratch(path, lock);
}

Scratch::Scratch(Scratch&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

Scratch::~Scratch() {
  if (lock_ < 0) return;
  std::error_code error;
  fs::remove_all(path_, error);
  close(lock_);
}

Result<std::string> install(const Scratch& scratch, const fs::path& cache, const std::string& name,
                            bool replace) {
  const fs::path from = scratch.path() / name;
  const fs::path to = cache / name;
  std::error_code error;
  // An exchange leaves the old one in the scratch directory, which goes away.
  if (replace && fs::exists(to, error)) return move_directory(from, to, RENAME_EXCHANGE);
  return move_directory(from, to, RENAME_NOREPLACE);
}

Result<std::string> remove_added(const fs::path& cache, const std::string& name) {
  if (auto good = check_name(name); !good) return good;
  const std::vector<std::string> names = added_names(cache);
  if (!std::ranges::binary_search(names, name)) {
    std::string known;
    for (const std::string& other : names) known += (known.empty() ? "" : ", ") + other;
    return fail(
        fmt::format("no JITs were added as '{}'; added: {}", name, known.empty() ? "none" : known));
  }
  const Result<Scratch> scratch = Scratch::make(cache);
  if (!scratch) return std::unexpected(scratch.error());
  return move_directory(cache / name, scratch->path() / name, RENAME_NOREPLACE);
}

}  // namespace plumb::jit::trees
