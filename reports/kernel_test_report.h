// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "harness/kernel_tests.h"

namespace plumb::reports {

// What plumb test-bpf found out.
struct KernelTestReport {
  std::span<const harness::KernelTestSubject> subjects;
  std::span<const std::string> without;  // JITs that no tests are known for
  std::span<const harness::KernelTestRow> rows;
  double seconds = 0;
  bool verbose = false;  // a line for every test
};

// For people, and as one JSON object.
[[nodiscard]] std::string kernel_tests_text(const KernelTestReport& report);
[[nodiscard]] std::string kernel_tests_json(const KernelTestReport& report);

enum class KernelTestsEnd : std::uint8_t {
  kPassed,         // every test that applies
  kFailed,         // at least one
  kHarnessFailed,  // we are wrong, or no test applied to a JIT
};
[[nodiscard]] KernelTestsEnd kernel_tests_end(const KernelTestReport& report);

// JITs that no test applied to.
[[nodiscard]] std::vector<std::string> untested_jits(const KernelTestReport& report);

}  // namespace plumb::reports
