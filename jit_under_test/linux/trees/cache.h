// SPDX-License-Identifier: GPL-2.0-or-later
// The directory of JITs that the user added:
//
//   CACHE/NAME/linux-NAME-ARCH.so   one directory per `plumb jits add`
//   CACHE/.logs/NAME.log            of a build that failed
//   CACHE/.add-XXXXXX/              an add or remove that is under way; locked by its process
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plumb::jit::trees {

// What a name is made of: what needs no quoting anywhere.
[[nodiscard]] bool is_name_character(char c);

// [A-Za-z0-9._-]+, at most 64, not starting with '.' or '-'.
[[nodiscard]] Result<std::string> check_name(std::string_view name);

// $XDG_CACHE_HOME/plumbline/plugins, else $HOME/.cache/plumbline/plugins, else empty.
[[nodiscard]] std::string default_cache();

// What was added, sorted.
[[nodiscard]] std::vector<std::string> added_names(const std::filesystem::path& cache);

// own, then every directory of the cache, as jit::list_jits() takes them.
[[nodiscard]] std::string plugin_search_path(const std::string& own,
                                             const std::filesystem::path& cache);

// A directory inside the cache that is gone when the object dies. Makes the cache when there is
// none, and clears away what processes that were killed left.
class Scratch {
 public:
  [[nodiscard]] static Result<Scratch> make(const std::filesystem::path& cache);
  Scratch(Scratch&& other) noexcept;
  Scratch& operator=(Scratch&& other) = delete;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Scratch(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_;
};

// Puts the directory scratch/NAME into the cache in one step: it is there or not, never in part.
// replace: the one of that name goes away in the same step.
[[nodiscard]] Result<std::string> install(const Scratch& scratch,
                                          const std::filesystem::path& cache,
                                          const std::string& name, bool replace);

// Takes NAME out of the cache in one step.
[[nodiscard]] Result<std::string> remove_added(const std::filesystem::path& cache,
                                               const std::string& name);

}  // namespace plumb::jit::trees
