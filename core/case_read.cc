// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "core/case.h"
#include "core/case_text.h"

namespace plumb {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }  // was only read
};

std::unexpected<Error> unreadable(const std::string& path, std::string message) {
  return std::unexpected(
      Error{.file = path, .line = 0, .column = 0, .message = std::move(message)});
}

std::string errno_message(int number) { return std::generic_category().message(number); }

}  // namespace

Result<std::string> read_case_text(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable(path, "is a directory");
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) return unreadable(path, fmt::format("cannot be read: {}", errno_message(errno)));

  std::string text(static_cast<std::size_t>(kMaxCaseText) + 1, '\0');
  const std::size_t size = std::fread(text.data(), 1, text.size(), file.get());
  if (std::ferror(file.get()) != 0) {
    return unreadable(path, fmt::format("cannot be read: {}", errno_message(errno)));
  }
  if (size > static_cast<std::size_t>(kMaxCaseText)) {
    return unreadable(path, fmt::format("is larger than {} bytes", kMaxCaseText));
  }
  text.resize(size);
  return text;
}

Result<Case> read_case(const std::string& path) {
  const Result<std::string> text = read_case_text(path);
  if (!text) return std::unexpected(text.error());
  return parse_case(*text, path);
}

}  // namespace plumb
