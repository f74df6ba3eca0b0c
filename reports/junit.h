// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "reports/report.h"

namespace plumb::reports {

// JUnit XML of a corpus that was judged: one testsuite per JIT, a testcase per case file. A finding
// that no waiver covers and a case that nobody judged fail; what is not applicable or undefined is
// skipped. What is wrong beside findings fails in the suite "corpus", so that none is green when
// the status is not 0. No times, no host names.
[[nodiscard]] std::string junit_xml(const Report& report);

}  // namespace plumb::reports
