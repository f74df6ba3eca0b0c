// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/artefacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/case_text.h"
#include "harness/fuzz_input.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

bool is_no_artefact(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".txt" || ending == ".log" || ending == ".json";
}

// All that is no directory.
Result<std::vector<std::string>> files_below(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> files;
  fs::recursive_directory_iterator it(directory, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_directory(error) || is_no_artefact(it->path())) continue;
    files.push_back(it->path().string());
  }
  if (error) return fail(fmt::format("{}: {}", directory, error.message()));
  std::ranges::sort(files);
  return files;
}

void add(const std::string& path, Artefact artefact, Artefacts& all) {
  if (!artefact.note.empty()) all.notes.push_back(std::move(artefact.note));
  all.cases.push_back({.name = case_name(path), .path = path, .value = std::move(artefact.value)});
}

}  // namespace

Result<Artefact> read_artefact(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  // Devices and pipes have no end, or none that comes soon.
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return fail(path + ": is no regular file");
  }
  const Result<std::string> text = read_case_text(path);
  if (!text) return std::unexpected(text.error());
  Result<Case> parsed = parse_case(*text, path);
  if (parsed) return Artefact{.value = *std::move(parsed), .note = {}};
  if (path.ends_with(kCaseEnding)) return std::unexpected(parsed.error());
  const auto* const data = reinterpret_cast<const std::uint8_t*>(text->data());
  Artefact artefact{.value = read_input({data, text->size()}).value, .note = {}};
  if (text->starts_with(".case")) artefact.note = parsed.error().str() + " (read as entropy)";
  return artefact;
}

Result<Artefacts> read_artefacts(std::span<const std::string> paths) {
  Artefacts all;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      Result<Artefact> artefact = read_artefact(path);
      if (!artefact) return std::unexpected(artefact.error());
      add(path, *std::move(artefact), all);
      continue;
    }
    const auto files = files_below(path);
    if (!files) return std::unexpected(files.error());
    for (const std::string& file : *files) {
      Result<Artefact> artefact = read_artefact(file);
      if (artefact) {
        add(file, *std::move(artefact), all);
      } else {
        all.passed_over.push_back(artefact.error().str());
      }
    }
  }
  return all;
}

}  // namespace plumb::harness
