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

namespace {

// A device, a pipe: written in place, as it is no file that could be put in another's stead.
bool is_special(const std::string& path) {
  std::error_code none;
  const fs::file_status status = fs::status(path, none);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

// The file that a symbolic link leads to.
std::string behind_links(const std::string& path) {
  std::error_code none;
  if (!fs::is_symlink(path, none)) return path;
  const fs::path target = fs::weakly_canonical(path, none);
  return target.empty() ? path : target.string();
}

Result<void> write_to(const std::string& target, const OutputFile& file) {
  std::FILE* const out = std::fopen(target.c_str(), "wb");
  if (out == nullptr) return std::unexpected(error_at(file.path, std::strerror(errno)));
  const bool written = std::fwrite(file.text.data(), 1, file.text.size(), out) == file.text.size();
  const int reason = errno;
  const bool closed = std::fclose(out) == 0;
  if (written && closed) return {};
  return std::unexpected(error_at(file.path, std::strerror(written ? errno : reason)));
}

}  // namespace

Result<void> write_file(const std::string& path, const std::string& text) {
  return write_files({{path, text}});
}

// Beside their places first; then each takes its own.
Result<void> write_files(const std::vector<OutputFile>& files) {
  std::vector<std::pair<std::string, std::string>> moves;
  Result<void> result;
  for (const OutputFile& file : files) {
    if (file.path.empty() || !result) continue;
    if (is_special(file.path)) {
      result = write_to(file.path, file);
      continue;
    }
    const std::string place = behind_links(file.path);
    moves.emplace_back(fmt::format("{}.{}.part", place, getpid()), place);
    result = write_to(moves.back().first, file);
  }
  for (const auto& [from, to] : moves) {
    if (result && std::rename(from.c_str(), to.c_str()) != 0) {
      result = std::unexpected(error_at(to, std::strerror(errno)));
    }
    if (!result) std::remove(from.c_str());
  }
  return result;
}

}  // namespace plumb::harness
