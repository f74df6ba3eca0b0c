// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/result.h"
#include "harness/waivers.h"

namespace plumb::harness {

inline constexpr std::string_view kCaseEnding = ".bpf";

struct CorpusFile {
  std::string path;
  Result<Case> value;  // or why the file cannot be used
};

// The case files that the paths name: a file is itself, a directory all files below it that end in
// .bpf, sorted by path. A path that is neither is a CorpusFile with an error.
[[nodiscard]] std::vector<CorpusFile> read_corpus(std::span<const std::string> paths);

// The waivers of all case files below the directory; an empty name means none.
[[nodiscard]] Result<std::vector<NamedWaiver>> read_waivers(const std::string& directory);

// File name without directory and ending.
[[nodiscard]] std::string case_name(const std::string& path);

// Writes the file whole or not at all: a temporary file beside it, then a rename.
[[nodiscard]] Result<void> write_file(const std::string& path, const std::string& text);
struct OutputFile {
  std::string path;  // empty: nothing is written
  std::string text;
};
// All of them or none.
[[nodiscard]] Result<void> write_files(const std::vector<OutputFile>& files);

}  // namespace plumb::harness
