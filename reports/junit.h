// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>

namespace plumb::reports {

// One file under one JIT. Neither failure nor skipped: passed.
struct JunitCase {
  std::string suite;    // the JIT
  std::string name;     // the case file
  std::string failure;  // why it fails
  std::string skipped;  // not applicable or undefined, and why
};

// JUnit XML: one testsuite per suite name, in order of first appearance. No times, no host names.
[[nodiscard]] std::string junit_xml(std::span<const JunitCase> cases);

}  // namespace plumb::reports
