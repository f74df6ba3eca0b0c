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

// 0 all that ran passed, 1 a test failed, 3 the harness failed or a JIT ran no test at all.
[[nodiscard]] int kernel_tests_status(const KernelTestReport& report);

}  // namespace plumb::tools
