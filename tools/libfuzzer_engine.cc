// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/libfuzzer_engine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "harness/corpus.h"

namespace plumb::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

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

void add_funnel(const nlohmann::json& line, harness::Funnel& funnel) {
  harness::Funnel more;
#define PLUMB_FUNNEL(name, required, sentence) \
  more.counts.name = line["funnel"].value(#name, std::uint64_t{0});
#include "harness/funnel.inc"
  for (const auto& [reason, count] : line["undefined"].items())
    more.undefined[reason] += count.get<std::uint64_t>();
  funnel.merge(more);
}

// In the order in which they were written: a finding came after what the processes before it did,
// and after what its own had done.
void add_lines(const std::string& path, LibfuzzerRun& run) {
  for (const nlohmann::json& line : lines_of(path)) {
    const auto report = std::ranges::find(run.jits, line.value("jit", ""), &JitReport::name);
    if (report == run.jits.end()) continue;
    if (line.contains("funnel")) add_funnel(line, report->funnel);
    if (!line.contains("finding")) continue;
    run.found_after.try_emplace(
        {report->name, line.value("finding", "")},
        report->funnel.counts.generated + line.value("executions", std::uint64_t{0}));
  }
}

// Executions that libFuzzer's last line of progress tells: "#1234: cov: ...".
std::uint64_t executions_told(const std::string& log) {
  std::ifstream file(log);
  std::uint64_t told = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) told = std::strtoull(line.c_str() + 1, nullptr, 10);
  }
  return told;
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
  harness::FuzzProgress progress{.seconds = seconds, .generated = executions_told(log)};
  for (const nlohmann::json& line : lines_of(funnel)) {
    if (line.contains("funnel"))
      progress.compared += line["funnel"].value("compared", std::uint64_t{0});
  }
  progress.findings = case_files_in(options.out);
  return progress;
}

pid_t start(const std::vector<std::string>& command, const std::string& log) {
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (output < 0) return -1;
  const pid_t child = fork();
  if (child != 0) {
    close(output);
    return child;
  }
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

std::vector<std::string> command_for(const std::string& target, const std::string& jits,
                                     const LibfuzzerOptions& options, const std::string& funnel) {
  std::vector<std::string> command{
      fmt::format("{}/{}", options.targets, target),
      "--jit=" + jits,
      fmt::format("--plugins={0}/plugins:{1}", options.targets, options.plugins),
      "--out=" + options.out,
      "--funnel=" + funnel,
      "--keep-going",
      fmt::format("-artifact_prefix={}/", options.out),
      fmt::format("-fork={}", options.jobs),
      "-ignore_crashes=1",
      "-ignore_timeouts=1",
      "-ignore_ooms=1",
      fmt::format("-seed={}", options.seed)};
  // An empty directory: no waivers, not those that lie beside the target.
  command.push_back("--known=" +
                    (options.known.empty() ? options.out + "/no-waivers" : options.known));
  if (options.runs > 0) command.push_back(fmt::format("-runs={}", options.runs));
  if (options.seconds > 0) {
    command.push_back(fmt::format("-max_total_time={:.0f}", std::ceil(options.seconds)));
  }
  if (!options.corpus.empty()) command.push_back(options.corpus);
  return command;
}

// Waits for the target and tells how it goes.
Result<void> watch(pid_t child, const std::string& target, const std::string& log,
                   const std::string& funnel, const LibfuzzerOptions& options) {
  const Clock::time_point begin = Clock::now();
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR)
      return fail(fmt::format("{}: {}", target, std::strerror(errno)));
    if (options.on_progress) options.on_progress(progress_of(log, funnel, options, since(begin)));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(fmt::format("{} ended early: {}; see {}", target, last_line(log), log));
}

}  // namespace

std::string target_name(const jit::JitInfo& info) {
  // One target has all layouts of all architectures.
  if (info.family == "reference") return "fuzz_reference";
  return fmt::format("fuzz_{}_{}", info.family, arch_name(info.arch));
}

Result<LibfuzzerRun> run_libfuzzer(harness::JitList jits, const LibfuzzerOptions& options) {
  LibfuzzerRun run;
  std::map<std::string, std::string> names;  // target -> its JITs, comma-separated
  for (const auto& jit : jits) {
    run.jits.push_back(make_report(jit->info()));
    std::string& list = names[target_name(jit->info())];
    list += (list.empty() ? "" : ",") + jit->info().name;
  }
  std::error_code error;
  for (const auto& [target, list] : names) {
    if (fs::exists(fs::path(options.targets) / target, error)) continue;
    return fail(
        fmt::format("no fuzz target {}/{}: cmake --preset fuzz && cmake --build build/fuzz "
                    "--target fuzz_targets builds it",
                    options.targets, target));
  }
  for (const std::string& directory : {options.out + "/no-waivers", options.corpus}) {
    if (!directory.empty()) fs::create_directories(directory, error);
    if (error) return fail(fmt::format("{}: {}", directory, error.message()));
  }
  const Clock::time_point begin = Clock::now();
  for (const auto& [target, list] : names) {
    const std::string stem = fmt::format("{}/{}", options.out, target);
    const std::string funnel = stem + ".funnel.json";
    fs::remove(funnel, error);
    const pid_t child = start(command_for(target, list, options, funnel), stem + ".log");
    if (child < 0) return fail(fmt::format("{}: {}", target, std::strerror(errno)));
    if (Result<void> ended = watch(child, target, stem + ".log", funnel, options); !ended) {
      return std::unexpected(ended.error());
    }
    add_lines(funnel, run);
  }
  run.seconds = since(begin);
  fs::remove(options.out + "/no-waivers", error);
  for (JitReport& jit : run.jits) {
    jit.rate = static_cast<double>(jit.funnel.counts.compared) / std::max(run.seconds, 1e-3);
  }
  return run;
}

}  // namespace plumb::tools
