// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "harness/kernel_tests.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/kernel_test_suite.h"
#include "reports/kernel_test_report.h"
#include "tools/open_jits.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct TestBpfArguments {
  std::string jits = "linux-*";
  std::string suite;
  std::string name;
  std::optional<std::uint32_t> id;
  unsigned jobs = 1;
  double seconds = 60.0;
  bool verbose = false;
};

// JITs, and the tests of each one's tree; trees are shared.
struct Subjects {
  std::vector<std::unique_ptr<jit::Jit>> jits;
  std::vector<std::pair<std::string, std::unique_ptr<jit::KernelTests>>> trees;  // by path
  std::vector<harness::KernelTestSubject> list;
  std::vector<std::string> without;  // JITs that have no tests
};

Result<const jit::KernelTests*> tests_at(Subjects& subjects, const std::string& path) {
  const auto found = std::ranges::find(subjects.trees, path, [](const auto& t) { return t.first; });
  if (found != subjects.trees.end()) return found->second.get();
  Result<std::unique_ptr<jit::KernelTests>> tests = jit::open_kernel_tests(path);
  if (!tests) return std::unexpected(tests.error());
  subjects.trees.emplace_back(path, std::move(*tests));
  return subjects.trees.back().second.get();
}

Result<Subjects> open_subjects(const Session& session, const std::string& names) {
  auto jits = open_all_jits(session, names);
  if (!jits) return std::unexpected(jits.error());
  Subjects subjects;
  subjects.jits = std::move(*jits);
  const std::vector<jit::JitEntry> entries = jit::find_jits(session.plugin_directory);
  for (const auto& jit : subjects.jits) {
    const auto entry = std::ranges::find_if(entries, [&jit](const jit::JitEntry& e) {
      return e.available && e.name == jit->info().name;
    });
    const std::string path =
        entry == entries.end() ? std::string() : jit::kernel_tests_path(*entry, jit->info());
    if (!std::filesystem::exists(path)) {
      subjects.without.push_back(jit->info().name);
      continue;
    }
    const auto tests = tests_at(subjects, path);
    if (!tests) return std::unexpected(tests.error());
    subjects.list.push_back({.jit = jit.get(), .tests = *tests});
  }
  if (subjects.list.empty()) {
    return fail("no tests for " + subjects.without.front() +
                ": it is not of a kernel tree with lib/test_bpf.c");
  }
  return subjects;
}

// Tests whose name or number is asked for, in any of the trees.
bool is_wanted(const TestBpfArguments& arguments, const Subjects& subjects,
               std::optional<jit::KernelSuite> suite, jit::KernelSuite of, std::uint32_t index) {
  if (suite && *suite != of) return false;
  if (arguments.id && *arguments.id != index) return false;
  if (arguments.name.empty()) return true;
  return std::ranges::any_of(subjects.list, [&](const harness::KernelTestSubject& subject) {
    return index < subject.tests->count(of) &&
           subject.tests->name(of, index).find(arguments.name) != std::string::npos;
  });
}

void show_progress(std::size_t done, std::size_t all) {
  if (isatty(STDERR_FILENO) != 1) return;
  fmt::print(stderr, "\r\033[K{} of {} tests", done, all);
  if (done == all) fmt::print(stderr, "\r\033[K");
}

int status_of(reports::KernelTestsEnd end) {
  switch (end) {
    case reports::KernelTestsEnd::kPassed:
      return kStatusConforms;
    case reports::KernelTestsEnd::kFailed:
      return kStatusFinding;
    case reports::KernelTestsEnd::kHarnessFailed:
      return kStatusHarnessFailed;
  }
  return kStatusHarnessFailed;
}

int test_bpf(const TestBpfArguments& arguments, const Session& session) {
  std::optional<jit::KernelSuite> suite;
  if (!arguments.suite.empty()) {
    suite = jit::parse_kernel_suite(arguments.suite);
    if (!suite) return unusable(fmt::format("no test suite is called '{}'", arguments.suite));
  }
  const Result<Subjects> subjects = open_subjects(session, arguments.jits);
  if (!subjects) return unusable(subjects.error().str());

  harness::KernelTestOptions options;
  options.jobs = arguments.jobs;
  options.seconds_per_test = arguments.seconds;
  options.wanted = [&](jit::KernelSuite of, std::uint32_t index) {
    return is_wanted(arguments, *subjects, suite, of, index);
  };
  options.on_progress = show_progress;
  const auto begin = std::chrono::steady_clock::now();
  const auto rows = harness::run_kernel_tests(subjects->list, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (rows.empty()) return unusable("no test has that name or number");

  const reports::KernelTestReport report{.subjects = subjects->list,
                                         .without = subjects->without,
                                         .rows = rows,
                                         .seconds = seconds.count(),
                                         .verbose = arguments.verbose};
  fmt::print("{}", session.json ? kernel_tests_json(report) : kernel_tests_text(report));
  std::fflush(stdout);
  for (const std::string& name : untested_jits(report)) {
    fmt::print(stderr, "plumb: {}: no test applies: nothing was tested\n", name);
  }
  return status_of(kernel_tests_end(report));
}

}  // namespace

void add_test_bpf_command(CLI::App& app, Session& session) {
  auto options = std::make_shared<TestBpfArguments>();
  CLI::App* command =
      app.add_subcommand("test-bpf", "Run the kernel's own tests, lib/test_bpf.c, on its JITs");
  command->add_option("--jit", options->jits, "JIT names or globs, comma-separated");
  command->add_option("--suite", options->suite,
                      "test_bpf, test_tail_calls or test_skb_segment; default: all");
  command->add_option("--name", options->name, "only tests whose name holds this");
  command->add_option("--id", options->id, "only tests of this number");
  command->add_option("-j,--jobs", options->jobs, "processes at a time")->check(CLI::Range(1, 64));
  command
      ->add_option("--seconds-per-test", options->seconds,
                   "a test that takes longer is not finished, which is told apart")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  command->add_flag("-v,--verbose", options->verbose, "a line for every test");
  command->callback([options, &session] {
    session.action = [options, &session] { return test_bpf(*options, session); };
  });
}

}  // namespace plumb::tools
