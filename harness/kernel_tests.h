// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "harness/judge.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/kernel_test_suite.h"

namespace plumb::harness {

// What came of one test of a kernel's lib/test_bpf.c under one JIT.
struct KernelTestOutcome {
  enum class Verdict : std::uint8_t {
    kNotJudged,  // nobody has said anything: never a pass
    kPassed,     // ran natively, and everything is as it should be; or was rejected, as expected
    kFailed,     // the JIT is wrong
    kNotApplicable,  // reason says why
    kNotFinished,    // it took too long to say: no pass, and no failure of the JIT
    kHarnessFailed,  // we are wrong
  };
  enum class Oracle : std::uint8_t {
    kNotAsked,
    kAgrees,     // returns what the test expects, too, and all invariants held
    kDisagrees,  // returns something else: the test expects the wrong thing, or the oracle is wrong
    kUndefined,  // the test does what no verifier lets pass: only its result was compared
  };
  Verdict verdict = Verdict::kNotJudged;
  std::string reason;  // not passed: one line
  Oracle oracle = Oracle::kNotAsked;
  std::string undefined_reason;  // kUndefined
  bool ran = false;              // compiled, and run in the machine

  bool operator==(const KernelTestOutcome&) const = default;
};

// Runs tests one by one. A function of its arguments, as Judge.
class KernelTestRunner {
 public:
  explicit KernelTestRunner(
      Judge::MachineFactory make_machine = machine::make_machine_for_large_contexts);

  void show_activity(std::atomic<Activity>* cell) { activity_ = cell; }
  [[nodiscard]] KernelTestOutcome run(const jit::KernelTests& tests, jit::KernelSuite suite,
                                      std::uint32_t index, jit::Jit& jit);

 private:
  struct Experiment;
  [[nodiscard]] KernelTestOutcome run_all(const jit::KernelTest& test, Case& value, jit::Jit& jit);
  static void ask_oracle(const Experiment& experiment, KernelTestOutcome& outcome);
  // Nothing when the subtest passed.
  [[nodiscard]] std::string run_one(const Experiment& experiment, KernelTestOutcome& outcome);
  [[nodiscard]] machine::Machine* machine_for(Arch arch);
  void doing(Activity activity);

  Judge::MachineFactory make_machine_;
  std::array<std::unique_ptr<machine::Machine>, 4> machines_;  // by Arch
  std::atomic<Activity>* activity_ = nullptr;
};

// The case of a test. For the suite of tail calls: all its programs, and the array that they call
// through; the one under test is entered.
[[nodiscard]] Case kernel_test_case(const jit::KernelTests& tests, jit::KernelSuite suite,
                                    std::uint32_t index, const jit::KernelTest& test);

// The whole of one test, for all JITs.
struct KernelTestRow {
  std::size_t jit = 0;
  jit::KernelSuite suite = jit::KernelSuite::kTestBpf;
  std::uint32_t index = 0;
  KernelTestOutcome outcome;
};

// One JIT and the tests of its tree.
struct KernelTestSubject {
  jit::Jit* jit = nullptr;
  const jit::KernelTests* tests = nullptr;
};

struct KernelTestOptions {
  unsigned jobs = 1;
  double seconds_per_test = 60.0;  // longer: not finished
  // Which tests; null: all.
  std::function<bool(jit::KernelSuite suite, std::uint32_t index)> wanted;
  std::function<void(std::size_t done, std::size_t all)> on_progress;
};

// JIT by JIT, suite by suite, in the order of the tables. Each in a child process: what kills it is
// a failed test.
[[nodiscard]] std::vector<KernelTestRow> run_kernel_tests(
    std::span<const KernelTestSubject> subjects, const KernelTestOptions& options);

}  // namespace plumb::harness
