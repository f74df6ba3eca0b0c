// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/libfuzzer_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "harness/corpus.h"
#include "harness/funnel_json.h"
#include "tools/libfuzzer_process.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kSecondsPerInput = 30;  // longer is a hang; milliseconds are usual

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The lines that the processes of a target appended; one of a process that died while it wrote is
// none.
std::vector<nlohmann::json> lines_of(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    nlohmann::json line = nlohmann::json::parse(text, nullptr, false);
    if (line.is_object()) lines.push_back(std::move(line));
  }
  return lines;
}

// In the order in which they were written: a finding came after what the processes before it did,
// and after what its own had done.
void add_lines(const std::string& path, LibfuzzerRun& run) {
  for (const nlohmann::json& line : lines_of(path)) {
    const auto report =
        std::ranges::find(run.jits, line.value("jit", ""), &reports::JitReport::name);
    if (report == run.jits.end()) continue;
    if (line.contains("funnel")) report->funnel.merge(harness::funnel_of(line));
    if (!line.contains("finding")) continue;
    run.found_after.try_emplace(
        {report->name, line.value("finding", "")},
        report->funnel.counts.generated + line.value("executions", std::uint64_t{0}));
  }
}

// Executions that libFuzzer's last line of progress tells: "#1234: cov: ...".
std::uint64_t executions_reported(const std::string& log) {
  std::ifstream file(log);
  std::uint64_t executions = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) executions = std::strtoull(line.c_str() + 1, nullptr, 10);
  }
  return executions;
}

std::size_t case_files_in(const std::string& directory) {
  std::error_code error;
  std::size_t count = 0;
  for (const auto& file : fs::directory_iterator(directory, error)) {
    count += file.path().extension() == harness::kCaseEnding;
  }
  return count;
}

// Of the processes that have ended; libFuzzer starts new ones all the time.
harness::FuzzProgress progress_of(const std::string& log, const std::string& funnel,
                                  const LibfuzzerOptions& options, double seconds) {
  harness::FuzzProgress progress{.seconds = seconds, .generated = executions_reported(log)};
  for (const nlohmann::json& line : lines_of(funnel)) {
    if (line.contains("funnel"))
      progress.compared += line["funnel"].value("compared", std::uint64_t{0});
  }
  progress.findings = case_files_in(options.out);
  return progress;
}

std::string no_waivers(const LibfuzzerOptions& options) { return options.out + "/no-waivers"; }

// While it lives, there is an empty directory of waivers: a target that is given none takes those
// that lie beside it.
class NoWaivers {
 public:
  explicit NoWaivers(const LibfuzzerOptions& options) : path_(no_waivers(options)) {
    fs::create_directories(path_, error_);
  }
  ~NoWaivers() {
    std::error_code error;
    fs::remove(path_, error);
  }
  NoWaivers(const NoWaivers&) = delete;
  NoWaivers& operator=(const NoWaivers&) = delete;
  [[nodiscard]] const std::error_code& error() const { return error_; }

 private:
  std::string path_;
  std::error_code error_;
};

std::string directories_of_plugins(const LibfuzzerOptions& options) {
  return fmt::format("{}/plugins:{}", options.targets, options.plugins);
}

// How every process of a target is called.
std::vector<std::string> common_arguments(const std::string& target, const std::string& jits,
                                          const LibfuzzerOptions& options) {
  return {fmt::format("{}/{}", options.targets, target),
          "--jit=" + jits,
          "--plugins=" + directories_of_plugins(options),
          "--out=" + options.out,
          "--known=" + (options.known.empty() ? no_waivers(options) : options.known),
          "--keep-going",
          fmt::format("-artifact_prefix={}/", options.out),
          fmt::format("-timeout={}", kSecondsPerInput)};
}

std::vector<std::string> command_for(const std::string& target, const std::string& jits,
                                     const LibfuzzerOptions& options, const std::string& funnel) {
  std::vector<std::string> command = common_arguments(target, jits, options);
  command.insert(command.end(),
                 {"--funnel=" + funnel, fmt::format("-fork={}", options.jobs), "-ignore_crashes=1",
                  "-ignore_timeouts=1", "-ignore_ooms=1", fmt::format("-seed={}", options.seed)});
  if (options.runs > 0) command.push_back(fmt::format("-runs={}", options.runs));
  if (options.seconds > 0) {
    command.push_back(fmt::format("-max_total_time={:.0f}", std::ceil(options.seconds)));
  }
  if (!options.corpus.empty()) command.push_back(options.corpus);
  return command;
}

// libFuzzer's fork mode makes lines for a shell of its arguments, without quotes.
bool passes_a_shell(const std::string& text) {
  return std::ranges::all_of(text, [](unsigned char byte) {
    return std::isalnum(byte) != 0 || byte >= 0x80 ||
           std::string_view("/._-+=:,@%").contains(static_cast<char>(byte));
  });
}

using Names = std::map<std::string, std::string>;  // target -> its JITs, comma-separated

// What would not do what was asked for, before anything starts.
Result<void> check_options(const Names& names, const LibfuzzerOptions& options) {
  if (options.seed < 1 || options.seed > std::numeric_limits<std::uint32_t>::max()) {
    return fail(fmt::format("--seed {}: libFuzzer has seeds from 1 to {}", options.seed,
                            std::numeric_limits<std::uint32_t>::max()));
  }
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<int>::max());
  if (options.runs > kMost || options.seconds > static_cast<double>(kMost)) {
    return fail(fmt::format("--runs, --seconds: libFuzzer counts to {}", kMost));
  }
  std::error_code error;
  for (const auto& [target, list] : names) {
    if (!fs::exists(fs::path(options.targets) / target, error)) {
      return fail(
          fmt::format("no fuzz target {}/{}: cmake --preset fuzz && cmake --build build/fuzz "
                      "--target fuzz_targets builds it",
                      options.targets, target));
    }
    for (const std::string& argument : command_for(target, list, options, options.out)) {
      if (passes_a_shell(argument)) continue;
      return fail(
          fmt::format("{}: libFuzzer's fork mode hands it to a shell as it is: choose a "
                      "path without blanks and shell characters",
                      argument));
    }
  }
  return {};
}

// What libFuzzer leaves of inputs that kill a process, with the time of each.
using Artefacts = std::map<std::string, fs::file_time_type>;

Artefacts artefacts_in(const std::string& directory) {
  constexpr std::array kKinds{"crash-", "timeout-", "oom-", "leak-"};
  Artefacts artefacts;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(directory, error)) {
    const std::string name = file.path().filename().string();
    const auto begins = [&](const char* kind) { return name.starts_with(kind); };
    if (std::ranges::any_of(kKinds, begins)) {
      artefacts[file.path().string()] = file.last_write_time(error);
    }
  }
  return artefacts;
}

// What is wrong with how a target ended, or an empty string. With -fork its status is that of any
// job, whatever is ignored: what counts is whether it went on to the end.
std::string complaint_about(const TargetEnd& end, const LibfuzzerOptions& options) {
  if (end.interrupted) return "interrupted";
  if (end.stopped) {
    return fmt::format("did not end, {} s after its time: stopped; {}", options.grace,
                       end.last_line);
  }
  return end.fuzzed ? "" : "ended early: " + end.last_line;
}

// One target, to its end. False: do not start the next one.
bool run_one(const std::string& target, const std::string& jits, const LibfuzzerOptions& options,
             LibfuzzerRun& run) {
  const std::string stem = fmt::format("{}/{}", options.out, target);
  const std::string funnel = stem + ".funnel.json";
  const std::string log = stem + ".log";
  std::error_code error;
  fs::remove(funnel, error);
  const Artefacts before = artefacts_in(options.out);
  const TargetEnd end =
      run_target({.arguments = command_for(target, jits, options, funnel),
                  .log = log,
                  .seconds = options.seconds > 0 ? options.seconds + options.grace : 0,
                  .on_progress = [&](double seconds) {
                    if (options.on_progress)
                      options.on_progress(progress_of(log, funnel, options, seconds));
                  }});
  for (const auto& [path, time] : artefacts_in(options.out)) {
    const auto old = before.find(path);
    if (old == before.end() || old->second != time) run.artefacts.push_back({path, target});
  }
  add_lines(funnel, run);
  const std::string complaint = complaint_about(end, options);
  if (!complaint.empty())
    run.failures.push_back(fmt::format("{} {}; see {}", target, complaint, log));
  return !end.interrupted;
}

// The line in which a sanitizer or libFuzzer says what it was.
std::string summary_of(const std::string& log) {
  std::ifstream file(log);
  constexpr std::string_view kBegin = "SUMMARY: ";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kBegin)) return line.substr(kBegin.size());
  }
  return {};
}

// The plugins, as the targets find them, whose code tells libFuzzer nothing.
std::vector<std::string> not_instrumented(harness::JitList jits, const LibfuzzerOptions& options) {
  // Each instrumented file asks the fuzzing engine for it, by this name in the symbol table.
  constexpr std::string_view kSymbol = "__sanitizer_cov_8bit_counters_init";
  const std::vector<jit::JitEntry> entries = jit::find_jits(directories_of_plugins(options));
  std::vector<std::string> names;
  for (const auto& jit : jits) {
    const auto entry = std::ranges::find_if(entries, [&](const jit::JitEntry& other) {
      return other.name == jit->info().name && other.available && !other.path.empty();
    });
    if (entry == entries.end()) continue;  // built in
    std::ifstream file(entry->path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!bytes.contains(kSymbol)) names.push_back(entry->path);
  }
  return names;
}

}  // namespace

std::string target_name(const jit::JitInfo& info) {
  // One target has all layouts of all architectures.
  if (info.family == "reference") return "fuzz_reference";
  return fmt::format("fuzz_{}_{}", info.family, arch_name(info.arch));
}

Result<LibfuzzerRun> run_libfuzzer(harness::JitList jits, const LibfuzzerOptions& options) {
  LibfuzzerRun run;
  Names names;
  for (const auto& jit : jits) {
    run.jits.push_back(reports::make_report(jit->info()));
    std::string& list = names[target_name(jit->info())];
    list += (list.empty() ? "" : ",") + jit->info().name;
  }
  if (const Result<void> usable = check_options(names, options); !usable) {
    return std::unexpected(usable.error());
  }
  const NoWaivers waivers(options);
  if (waivers.error()) return fail(fmt::format("{}: {}", options.out, waivers.error().message()));
  std::error_code error;
  if (!options.corpus.empty()) fs::create_directories(options.corpus, error);
  if (error) return fail(fmt::format("{}: {}", options.corpus, error.message()));
  for (const std::string& path : not_instrumented(jits, options)) {
    if (options.on_not_instrumented) options.on_not_instrumented(path);
  }
  const Clock::time_point begin = Clock::now();
  for (const auto& [target, list] : names) {
    if (!run_one(target, list, options, run)) break;
  }
  run.seconds = since(begin);
  for (reports::JitReport& jit : run.jits) {
    jit.rate = static_cast<double>(jit.funnel.counts.compared) / std::max(run.seconds, 1e-3);
  }
  return run;
}

std::optional<std::string> dies_of(const jit::JitInfo& jit, const std::string& artefact,
                                   const LibfuzzerOptions& options) {
  const NoWaivers waivers(options);
  const std::string target = target_name(jit);
  const std::string log = fmt::format("{}/{}.again.log", options.out, target);
  std::vector<std::string> arguments = common_arguments(target, jit.name, options);
  arguments.push_back(artefact);
  const TargetEnd end = run_target({.arguments = std::move(arguments),
                                    .log = log,
                                    .seconds = 3.0 * kSecondsPerInput,
                                    .on_progress = {}});
  const std::string summary = summary_of(log);
  std::error_code error;
  fs::remove(log, error);
  if (end.status == 0 || end.status == kStatusUnusable || end.interrupted) return std::nullopt;
  return summary.empty() ? end.last_line : summary;
}

}  // namespace plumb::tools
