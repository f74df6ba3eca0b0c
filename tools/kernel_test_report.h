// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>

#include "harness/kernel_tests.h"
#include "tools/session.h"

namespace plumb::tools {

// What plumb test-bpf found out.
struct KernelTestReport {
  std::span<const harness::KernelTestSubject> subjects;
  std::span<const std::string> without;  // JITs that no tests are known for
  std::span<const harness::KernelTestRow> rows;
  double seconds = 0;
  bool verbose = false;  // a line for every test
};

// To stdout, as text or JSON.
void print_kernel_tests(const Session& session, const KernelTestReport& report);

// 0 every test that applies passed, 1 one failed, 3 the harness failed or no test applied to a JIT,
// which is said on stderr.
[[nodiscard]] int kernel_tests_status(const KernelTestReport& report);

}  // namespace plumb::tools
