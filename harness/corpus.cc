// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/corpus.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/case_text.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

Error error_at(const std::string& path, std::string message) {
  return {.file = path, .line = 0, .column = 0, .message = std::move(message)};
}

// Paths of the case files below the directory, sorted.
Result<std::vector<std::string>> files_below(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().extension() == kCaseEnding && it->is_regular_file(error)) {
      files.push_back(it->path().string());
    }
  }
  if (error) return std::unexpected(error_at(directory, error.message()));
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::vector<CorpusFile> read_corpus(std::span<const std::string> paths) {
  std::vector<CorpusFile> corpus;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      corpus.push_back({path, read_case(path)});
      continue;
    }
    const auto files = files_below(path);
    if (!files) {
      corpus.push_back({path, std::unexpected(files.error())});
      continue;
    }
    for (const std::string& file : *files) corpus.push_back({file, read_case(file)});
  }
  return corpus;
}

Result<std::vector<NamedWaiver>> read_waivers(const std::string& directory) {
  std::vector<NamedWaiver> waivers;
  if (directory.empty()) return waivers;
  for (const CorpusFile& file : read_corpus(std::span(&directory, 1))) {
    if (!file.value) return std::unexpected(file.value.error());
    for (const Waiver& waiver : file.value->waivers) {
      waivers.push_back({.name = case_name(file.path), .waiver = waiver});
    }
  }
  return waivers;
}

std::string case_name(const std::string& path) { return fs::path(path).stem().string(); }

Result<void> write_file(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}.part", path, getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return std::unexpected(error_at(path, std::strerror(errno)));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (written && closed && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const std::string reason = std::strerror(errno);
  std::remove(temporary.c_str());
  return std::unexpected(error_at(path, reason));
}

}  // namespace plumb::harness
