// SPDX-License-Identifier: GPL-2.0-or-later
//
// The entry points of every JIT target. PLUMB_TARGET_JITS names the JITs (fuzz/CMakeLists.txt).
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "fuzz/command_line.h"
#include "fuzz/finding_file.h"
#include "fuzz/jit_fuzzer.h"
#include "fuzz/mutators.h"
#include "fuzz/watch.h"
#include "harness/corpus.h"

// Of the sanitizers' runtime, where there is one.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

using namespace plumb;
using Clock = std::chrono::steady_clock;

// Everything that lives as long as the process. libFuzzer's interface has no place for it. Never
// destroyed: what runs at exit comes in no order that we know.
struct Target {
  fuzz::CommandLine line;
  fuzz::Watch watch;
  pid_t process = -1;
  std::unique_ptr<fuzz::JitFuzzer> fuzzer;
  Clock::time_point begin = Clock::now();
};
Target& target() {
  static auto* const the_target = new Target;
  return *the_target;
}

[[noreturn]] void unusable(const std::string& message) {
  fmt::print(stderr, "plumb: {}\n", message);
  std::_Exit(2);
}

double seconds_so_far() {
  return std::chrono::duration<double>(Clock::now() - target().begin).count();
}

// Appended in one write: several processes share the file.
void append_to_log(const std::string& lines) {
  if (target().line.funnel.empty()) return;
  std::FILE* file = std::fopen(target().line.funnel.c_str(), "ab");
  if (file == nullptr) return;
  std::setvbuf(file, nullptr, _IOFBF, lines.size() + 1);
  std::fwrite(lines.data(), 1, lines.size(), file);
  std::fclose(file);
}

void print_funnel() {
  fmt::print(stderr, "{}", fuzz::funnel_text(*target().fuzzer, seconds_so_far()));
  append_to_log(fuzz::funnel_lines(*target().fuzzer));
}

// Code under test may call exit() in a process that it or we began: that one has nothing to tell.
void at_exit() {
  if (getpid() != target().process) return;
  print_funnel();
  target().watch.end();
}

// In a child process: what it dies of is not the engine's to report, nor the log's to tell.
void leave_the_engine() {
  for (const int number : {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGINT, SIGSEGV, SIGTERM,
                           SIGUSR1, SIGUSR2, SIGXFSZ}) {
    signal(number, SIG_DFL);
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(nullptr);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
}

// In another process, so that the engine sees no coverage of it. The path of the finding's case, or
// why there is none. The engine's clock does not tick meanwhile: an input does not hang because its
// case takes long to minimise.
std::string write_finding(std::span<const std::uint8_t> input, const fuzz::NewFinding& finding) {
  struct sigaction ignore = {};
  struct sigaction clock = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGALRM, &ignore, &clock);
  const auto path =
      fuzz::write_finding(*target().fuzzer, input, finding, target().line.out, leave_the_engine);
  sigaction(SIGALRM, &clock, nullptr);
  return path ? *path : path.error().str();
}

// False: it is known, or the run goes on.
bool report(std::span<const std::uint8_t> input, const fuzz::NewFinding& finding) {
  const std::string& jit = target().fuzzer->jits()[finding.jit]->info().name;
  append_to_log(fuzz::finding_line(*target().fuzzer, finding));
  if (!finding.known.empty()) {
    fmt::print(stderr, "plumb: known finding {} on {}: {} (waived by {})\n",
               finding.signature.str(), jit, finding.message, finding.known);
    return false;
  }
  fmt::print(stderr, "plumb: finding {} on {}: {} (execution {}, {:.1f} s)\n",
             finding.signature.str(), jit, finding.message, finding.cases_until_found,
             seconds_so_far());
  fmt::print(stderr, "plumb: its case: {}\n", write_finding(input, finding));
  return !target().line.keep_going;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  abort_on_failed_checks();
  const std::vector<std::string_view> arguments(*argv, *argv + *argc);
  target().line = fuzz::read_command_line(arguments, PLUMB_TARGET_JITS);
  // Before any code under test is there.
#ifdef PLUMB_WATCHED
  if (target().line.watched) {
    const auto status =
        target().watch.fork_target({target().line.artefact_prefix, target().line.exact_artefact});
    if (status) _exit(*status);
  }
#endif
  target().process = getpid();
  // The engine looks at the coverage of this process, and watches it.
  auto jits = jit::open_jits(target().line.plugins, target().line.jits, jit::Isolation::kNone);
  if (!jits) unusable(jits.error().str());
  auto waivers = harness::read_waivers(target().line.known);
  if (!waivers) unusable(waivers.error().str());
  std::uint64_t capabilities = 0;
  for (const auto& jit : *jits) {
    fmt::print(stderr, "plumb: fuzzing {}\n", jit->info().name);
    capabilities |= jit->info().capabilities;
  }
  fuzz::set_capabilities(capabilities);
  target().fuzzer = std::make_unique<fuzz::JitFuzzer>(*std::move(jits), *std::move(waivers));
  std::atexit(at_exit);
  fuzz::add_default_flags(argc, argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span input(data, size);
  target().watch.begin_input(input);
  const fuzz::Step step = target().fuzzer->run(input);
  if (!step.plugin_failure.empty()) {
    target().watch.end_input();
    unusable(step.plugin_failure);
  }
  const fuzz::NewFinding* stop = nullptr;  // the first that ends the run
  for (const fuzz::NewFinding& finding : step.findings) {
    if (report(input, finding) && stop == nullptr) stop = &finding;
  }
  if (stop) {
    print_funnel();
    // All findings abort from here: this is the line by which ClusterFuzz tells crashes apart.
    fmt::print(stderr, "ASSERTION FAILED: {}\n", stop->signature.str());
    std::abort();
  }
  target().watch.end_input();
  return step.compared ? 0 : -1;
}
