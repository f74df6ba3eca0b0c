// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/watch.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/check.h"
#include "core/death.h"
#include "harness/corpus.h"
#include "harness/judge.h"

namespace plumb::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr int kStatusOfAFinding = 77;  // libFuzzer's, of an input that is to be kept

// What asks the target to do something: it is the target's to answer.
constexpr std::array kPassedOn{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (const int number : kPassedOn) sigaddset(&set, number);
  return set;
}

// Does an artefact hold the input? Then the engine has seen it end the process.
bool is_kept(std::string_view input, const WatchOptions& options) {
  const auto holds_it = [&](const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return file && std::string(std::istreambuf_iterator<char>(file), {}) == input;
  };
  if (!options.exact_artefact.empty()) return holds_it(options.exact_artefact);
  const fs::path prefix(options.artefact_prefix);
  std::error_code error;
  const fs::path directory = prefix.parent_path().empty() ? "." : prefix.parent_path();
  for (const auto& file : fs::directory_iterator(directory, error)) {
    const std::string name = file.path().filename().string();
    const std::string stem = prefix.filename().string();
    if (!name.starts_with(stem) || file.file_size(error) != input.size()) continue;
    const std::string_view kind = std::string_view(name).substr(stem.size());
    constexpr std::array kKinds{"crash-", "timeout-", "oom-", "leak-"};
    if (std::ranges::any_of(kKinds, [&](const char* k) { return kind.starts_with(k); }) &&
        holds_it(file.path())) {
      return true;
    }
  }
  return false;
}

std::string artefact_path(std::string_view input, const WatchOptions& options) {
  if (!options.exact_artefact.empty()) return options.exact_artefact;
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char byte : input) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return fmt::format("{}crash-{:016x}", options.artefact_prefix, hash);
}

}  // namespace

Watch::TargetEnd Watch::wait_for(pid_t target) {
  const sigset_t signals = watched_signals();
  const timespec tick{.tv_sec = 0, .tv_nsec = 100'000'000};
  const timespec now{};
  TargetEnd end;
  while (true) {
    const pid_t ended = waitpid(target, &end.status, WNOHANG);
    PLUMB_CHECK(ended >= 0 || errno == EINTR);
    // The target may have ended of what came to both.
    for (bool more = true; more;) {
      const int number = sigtimedwait(&signals, nullptr, ended == target ? &now : &tick);
      more = number > 0 && ended == target;
      if (number <= 0 || number == SIGCHLD) continue;
      end.asked = true;
      if (ended != target) kill(target, number);
    }
    if (ended == target) return end;
  }
}

std::optional<int> Watch::fork_target(const WatchOptions& options) {
  PLUMB_CHECK(target_ < 0);
  const sigset_t signals = watched_signals();
  sigset_t before;
  sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t parent = getpid();
  const pid_t child = fork();
  PLUMB_CHECK(child >= 0);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it ended before that
    sigprocmask(SIG_SETMASK, &before, nullptr);
    target_ = getpid();
    return std::nullopt;
  }
  signal(SIGCHLD, SIG_DFL);
  return status_for(wait_for(child), options);
}

bool Watch::is_target() const { return getpid() == target_; }

void Watch::begin_input(std::span<const std::uint8_t> input) {
  Shared& shared = shared_[0];
  shared.size = input.size();
  std::ranges::copy(input.first(std::min(input.size(), kMostBytes)), shared.input);
  shared.judging = true;
}

void Watch::end_input() {
  // A copy of the process that code under test made has judged nothing.
  if (target_ >= 0 && !is_target()) _exit(0);
  shared_[0].judging = false;
}

void Watch::end() {
  if (is_target()) shared_[0].ended = true;
}

int Watch::status_for(const TargetEnd& end, const WatchOptions& options) const {
  const Shared& shared = shared_[0];
  const Death death = death_of(end.status);
  const bool by_exit = death.kind == Death::Kind::kExit;
  const std::string_view input(reinterpret_cast<const char*>(shared.input),
                               std::min<std::size_t>(shared.size, kMostBytes));
  const bool lost = shared.judging && !is_kept(input, options);
  const bool silent = by_exit && death.number == 0 && !shared.ended;
  if (end.asked || (!lost && !silent)) return by_exit ? death.number : 128 + death.number;
  fmt::print(stderr, "plumb: finding {}: {}\n", harness::kJitSurvives, death.str());
  if (lost && shared.size <= kMostBytes) {
    const std::string path = artefact_path(input, options);
    const auto written = harness::write_file(path, std::string(input));
    fmt::print(stderr, "plumb: its input: {}\n", written ? path : written.error().str());
  }
  fmt::print(stderr, "ASSERTION FAILED: {}\n", harness::kJitSurvives);
  return kStatusOfAFinding;
}

}  // namespace plumb::fuzz
