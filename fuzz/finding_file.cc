// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/finding_file.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <system_error>
#include <tuple>

#include "core/case_text.h"
#include "core/codec.h"
#include "harness/corpus.h"
#include "harness/isolate.h"

namespace plumb::fuzz {
namespace {

// What the child says.
struct Written {
  bool ok = false;
  std::string text;  // path of the file, or why there is none
};

}  // namespace
}  // namespace plumb::fuzz

template <>
struct plumb::Members<plumb::fuzz::Written> {
  static constexpr std::tuple value{&plumb::fuzz::Written::ok, &plumb::fuzz::Written::text};
};

namespace plumb::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr double kSecondsToWrite = 180;

// What to do with a path.
enum class Use : std::uint8_t { kWrite, kKeep, kTakeAnother };

Use use_of(const std::string& path, const JitFuzzer& fuzzer, const NewFinding& finding) {
  const Result<Case> there = read_case(path);
  if (!there) return Use::kWrite;
  if (fuzzer.shows(*there, finding)) return Use::kKeep;
  const bool has_origin =
      !there->notes.empty() && there->notes[0].starts_with(finding.signature.str() + " on ");
  return has_origin && there->notes[0] != fuzzer.origin_of(finding) ? Use::kTakeAnother
                                                                    : Use::kWrite;
}

// In the child. As it is first: minimising takes a while, and the engine may end the process
// meanwhile.
Result<std::string> write_here(const JitFuzzer& fuzzer, std::span<const std::uint8_t> input,
                               const NewFinding& finding, const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  const fs::path stem = fs::path(directory) / finding.signature.str();
  std::string path = fmt::format("{}{}", stem.string(), harness::kCaseEnding);
  Use use = use_of(path, fuzzer, finding);
  if (use == Use::kTakeAnother) {
    path = fmt::format("{}.{}{}", stem.string(), fuzzer.jits()[finding.jit]->info().name,
                       harness::kCaseEnding);
    use = use_of(path, fuzzer, finding);
  }
  if (use == Use::kKeep) return path;
  auto written = harness::write_file(path, print_case(fuzzer.annotated(input, finding)));
  if (written) {
    written = harness::write_file(path, print_case(fuzzer.minimised(input, finding)));
  }
  if (!written) return std::unexpected(written.error());
  return path;
}

}  // namespace

Result<std::string> write_finding(const JitFuzzer& fuzzer, std::span<const std::uint8_t> input,
                                  const NewFinding& finding, const std::string& directory,
                                  const std::function<void()>& in_child) {
  const auto written = harness::run_isolated<Written>(
      kSecondsToWrite, [&](std::atomic<harness::Activity>&) -> Written {
        if (in_child) in_child();
        const auto path = write_here(fuzzer, input, finding, directory);
        if (!path) return {.ok = false, .text = path.error().str()};
        return {.ok = true, .text = *path};
      });
  if (!written) {
    return fail(fmt::format("the process that minimises {} {}", finding.signature.str(),
                            written.error().death.str()));
  }
  if (!written->ok) return fail(written->text);
  return written->text;
}

}  // namespace plumb::fuzz
