// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "reports/report.h"

namespace plumb::reports {

// One JSON object (docs/command-line.md), with a newline at its end. Texts that somebody else made
// stand in it as they are, escaped as JSON escapes; bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string report_json(const Report& report);

}  // namespace plumb::reports
