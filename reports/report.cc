// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/report.h"

#include <algorithm>
#include <set>
#include <utility>

namespace plumb::reports {

JitReport make_report(const jit::JitInfo& info) {
  return {.name = info.name,
          .arch = std::string(arch_name(info.arch)),
          .capabilities = info.capabilities};
}

void add_case(JitReport& report, const std::string& path, const Judgement& judgement,
              std::vector<Finding> findings) {
  CaseRow row{.path = path,
              .verdict = judgement.verdict,
              .reason = judgement.reason,
              .detail = judgement.detail};
  for (Finding& finding : findings) {
    finding.path = path;
    row.findings.push_back(report.findings.size());
    report.findings.push_back(std::move(finding));
  }
  report.cases.push_back(std::move(row));
}

FindingCount count_findings(const JitReport& report) {
  std::set<std::string> fresh;
  std::set<std::pair<std::string, std::string>> known;
  for (const Finding& finding : report.findings) {
    if (finding.known.empty()) {
      fresh.insert(finding.signature.str());
    } else {
      known.emplace(finding.signature.str(), finding.known);
    }
  }
  return {.fresh = fresh.size(), .known = known.size()};
}

std::size_t not_judged(const JitReport& report) {
  return static_cast<std::size_t>(std::ranges::count_if(report.cases, [](const CaseRow& row) {
    return row.verdict == Verdict::kNotJudged || row.verdict == Verdict::kPluginFailed;
  }));
}

}  // namespace plumb::reports
