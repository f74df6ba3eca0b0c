// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "reports/report.h"
#include "tools/session.h"

namespace plumb::tools {

// To stdout, as text or JSON; what is wrong beside findings also goes to stderr.
void print_report(const Session& session, const reports::Report& report, bool verbose);

// A stage that stayed empty has not been tested: says so on stderr, and whether there was one.
bool complain_about_zero_stages(const std::string& jit, const std::vector<std::string>& stages);

}  // namespace plumb::tools
