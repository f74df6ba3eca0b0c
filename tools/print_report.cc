// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/print_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "reports/report_json.h"
#include "reports/report_text.h"

namespace plumb::tools {

void print_report(const Session& session, const reports::Report& report, bool verbose) {
  const reports::TextOptions options{.verbose = verbose, .colour = isatty(STDOUT_FILENO) == 1};
  fmt::print("{}",
             session.json ? reports::report_json(report) : reports::report_text(report, options));
  std::fflush(stdout);
  fmt::print(stderr, "{}", reports::complaints_text(report));
}

bool complain_about_zero_stages(const std::string& jit, const std::vector<std::string>& stages) {
  for (const std::string& stage : stages) {
    fmt::print(stderr, "plumb: {}: no case counted as '{}': this run has not tested it\n", jit,
               stage);
  }
  return !stages.empty();
}

}  // namespace plumb::tools
