// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "harness/artefacts.h"
#include "harness/triage.h"

namespace plumb::reports {

// What plumb triage found out.
struct TriageReport {
  const harness::Triage& triage;
  const harness::Artefacts& artefacts;
  std::vector<std::string> written;  // by row, where files were asked for
};

// For people, and as one JSON object (docs/command-line.md).
[[nodiscard]] std::string triage_text(const TriageReport& report);
[[nodiscard]] std::string triage_json(const TriageReport& report);

}  // namespace plumb::reports
