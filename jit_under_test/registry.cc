// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "jit_under_test/isolated/isolated_jit.h"
#include "jit_under_test/isolated/strangers.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::jit {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

bool runs_alone(const std::string& path, Isolation isolation) {
  switch (isolation) {
    case Isolation::kStrangers:
      return !is_ours(path);
    case Isolation::kAll:
      return true;
    case Isolation::kNone:
      break;
  }
  return false;
}

std::string known_names(const std::vector<JitEntry>& entries) {
  std::string names;
  for (const JitEntry& entry : entries) {
    const bool listed = entry.available && !reference::is_reference_name(entry.name);
    if (listed) names += entry.name + ", ";
  }
  return names + "reference:<layout>";
}

}  // namespace

std::vector<JitEntry> find_jits(const std::string& directories) {
  std::vector<JitEntry> entries;
  for (const std::string& directory : split(directories, ':')) {
    std::error_code error;
    for (const auto& file : fs::directory_iterator(directory, error)) {
      if (file.path().extension() != ".so") continue;
      entries.push_back({.name = file.path().stem().string(),
                         .available = true,
                         .reason = {},
                         .path = file.path().string()});
    }
  }
  // Not std::stable_sort: libstdc++ 12 calls a function there that Clang knows to be deprecated.
  for (std::size_t i = 1; i < entries.size(); ++i) {
    for (std::size_t j = i; j > 0 && entries[j].name < entries[j - 1].name; --j) {
      std::swap(entries[j], entries[j - 1]);
    }
  }
  for (std::size_t i = 1, first = 0; i < entries.size(); ++i) {
    if (entries[i].name != entries[first].name) {
      first = i;
    } else {
      entries[i].available = false;
      entries[i].reason = fmt::format("{} is hidden by {}", entries[i].path, entries[first].path);
    }
  }
  return entries;
}

std::vector<JitEntry> list_jits(const std::string& plugin_directories, Isolation isolation) {
  std::vector<JitEntry> entries = find_jits(plugin_directories);
  for (JitEntry& entry : entries) {
    if (!entry.available) continue;
    const Result<std::unique_ptr<Jit>> jit = open_jit(entry, isolation);
    entry.available = jit.has_value();
    if (!jit) entry.reason = jit.error().message;
  }
  return entries;
}

std::vector<JitEntry> built_in_jits() {
  std::vector<JitEntry> entries;
  for (std::string& name : reference::names()) {
    entries.push_back({.name = std::move(name), .available = true, .reason = {}, .path = {}});
  }
  return entries;
}

Result<std::unique_ptr<Jit>> open_jit(const JitEntry& entry, Isolation isolation) {
  if (entry.path.empty()) return reference::open(entry.name);
  return runs_alone(entry.path, isolation) ? open_isolated(entry.path) : open_plugin(entry.path);
}

Result<OpenedJits> open_available_jits(const std::string& plugin_directories,
                                       const std::string& names, Isolation isolation) {
  std::vector<JitEntry> entries = find_jits(plugin_directories);
  for (JitEntry& entry : built_in_jits()) entries.push_back(std::move(entry));
  std::vector<bool> wanted(entries.size(), false);
  std::vector<std::string> defective;  // layouts with a seeded defect are in no list
  for (const std::string& pattern : split(names, ',')) {
    if (reference::is_reference_name(pattern) && pattern.find('+') != std::string::npos) {
      defective.push_back(pattern);
      continue;
    }
    const std::string glob = pattern == "all" ? "*" : pattern;
    bool matched = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!entries[i].available || fnmatch(glob.c_str(), entries[i].name.c_str(), 0) != 0) continue;
      wanted[i] = matched = true;
    }
    if (!matched) {
      return fail(fmt::format("no JIT is called '{}'; known: {}", pattern, known_names(entries)));
    }
  }
  OpenedJits opened;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!wanted[i]) continue;
    Result<std::unique_ptr<Jit>> jit = open_jit(entries[i], isolation);
    if (jit) {
      opened.jits.push_back(std::move(*jit));
      continue;
    }
    entries[i].available = false;
    entries[i].reason = jit.error().message;
    opened.not_available.push_back(entries[i]);
  }
  for (const std::string& name : defective) {
    Result<std::unique_ptr<Jit>> jit = reference::open(name);
    if (!jit) return std::unexpected(jit.error());
    opened.jits.push_back(std::move(*jit));
  }
  if (opened.jits.empty() && opened.not_available.empty()) return fail("no JIT is named");
  return opened;
}

Result<std::vector<std::unique_ptr<Jit>>> open_jits(const std::string& plugin_directories,
                                                    const std::string& names, Isolation isolation) {
  Result<OpenedJits> opened = open_available_jits(plugin_directories, names, isolation);
  if (!opened) return std::unexpected(opened.error());
  if (opened->not_available.empty()) return std::move(opened->jits);
  const JitEntry& first = opened->not_available.front();
  return std::unexpected(
      Error{.file = first.path, .line = 0, .column = 0, .message = first.reason});
}

}  // namespace plumb::jit
