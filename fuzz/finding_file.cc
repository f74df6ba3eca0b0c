// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/finding_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "core/case_text.h"
#include "harness/corpus.h"

namespace plumb::fuzz {
namespace {

namespace fs = std::filesystem;

// What to do with a path.
enum class Use : std::uint8_t { kWrite, kKeep, kTakeAnother };

Use use_of(const std::string& path, const JitFuzzer& fuzzer, const NewFinding& finding,
           const std::function<void()>& in_child) {
  const Result<Case> there = read_case(path);
  if (!there) return Use::kWrite;
  if (fuzzer.shows(*there, finding, in_child)) return Use::kKeep;
  const bool has_origin =
      !there->notes.empty() && there->notes[0].starts_with(finding.signature.str() + " on ");
  return has_origin && there->notes[0] != fuzzer.origin_of(finding) ? Use::kTakeAnother
                                                                    : Use::kWrite;
}

}  // namespace

Result<std::string> write_finding(const JitFuzzer& fuzzer, std::span<const std::uint8_t> input,
                                  const NewFinding& finding, const std::string& directory,
                                  const std::function<void()>& in_child) {
  std::error_code error;
  fs::create_directories(directory, error);
  const fs::path stem = fs::path(directory) / finding.signature.str();
  const std::string& jit = fuzzer.jits()[finding.jit]->info().name;
  std::string path = stem.string() + std::string(harness::kCaseEnding);
  Use use = use_of(path, fuzzer, finding, in_child);
  if (use == Use::kTakeAnother) {
    path = fmt::format("{}.{}{}", stem.string(), jit, harness::kCaseEnding);
    use = use_of(path, fuzzer, finding, in_child);
  }
  if (use == Use::kKeep) return path;
  // As it is first: minimising takes a while, and the engine may end the process meanwhile.
  for (const bool small : {false, true}) {
    const Case value =
        small ? fuzzer.minimised(input, finding, in_child) : fuzzer.annotated(input, finding);
    const Result<void> written = harness::write_file(path, print_case(value));
    if (!written) return std::unexpected(written.error());
  }
  return path;
}

}  // namespace plumb::fuzz
