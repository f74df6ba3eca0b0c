// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/triage_report.h"

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>

#include "core/printable.h"
#include "harness/minimize.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostOfALine = 8192;  // paths are long

}  // namespace

std::string triage_json(const TriageReport& report) {
  const auto& [triage, artefacts, written] = report;
  const std::vector<harness::NamedCase>& cases = artefacts.cases;
  Json rows = Json::array();
  for (std::size_t i = 0; i < triage.rows.size(); ++i) {
    const harness::TriageRow& row = triage.rows[i];
    rows.push_back({{"signature", row.signature.str()},
                    {"known", row.known.empty() ? Json(nullptr) : Json(row.known)},
                    {"count", row.count},
                    {"jits", row.jits},
                    {"smallest", cases[row.smallest].path},
                    {"written", i < written.size() ? Json(written[i]) : Json(nullptr)},
                    {"message", row.message}});
  }
  Json silent = Json::array();
  for (const std::size_t i : triage.silent) silent.push_back(cases[i].path);
  const Json out{{"version", 1},
                 {"command", "triage"},
                 {"artefacts", cases.size()},
                 {"signatures", rows},
                 {"silent", silent},
                 {"passed_over", artefacts.passed_over},
                 {"notes", artefacts.notes}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string triage_text(const TriageReport& report) {
  const auto& [triage, artefacts, written] = report;
  const std::vector<harness::NamedCase>& cases = artefacts.cases;
  std::string text = fmt::format(
      "{} artefacts, {} signatures, {} artefacts that show nothing, {} files passed over\n",
      cases.size(), triage.rows.size(), triage.silent.size(), artefacts.passed_over.size());
  if (!triage.rows.empty()) {
    text +=
        fmt::format("{:>6}  {:>12}  {:<48} {}\n", "count", "instructions", "signature", "smallest");
  }
  for (std::size_t i = 0; i < triage.rows.size(); ++i) {
    const harness::TriageRow& row = triage.rows[i];
    const harness::NamedCase& smallest = cases[row.smallest];
    text += fmt::format("{:>6}  {:>12}  {:<48} {}\n", row.count,
                        harness::instructions_without_exits(smallest.value), row.signature.str(),
                        smallest.path);
    text += fmt::format("{:>22}{}\n", "", printable(row.message));
    text += fmt::format("{:>22}on {}{}\n", "", fmt::join(row.jits, ", "),
                        row.known.empty() ? "" : ", known: " + row.known);
    if (i < written.size()) text += fmt::format("{:>22}written: {}\n", "", written[i]);
  }
  for (const std::size_t i : triage.silent)
    text += fmt::format("shows nothing: {}\n", cases[i].path);
  for (const std::string& file : artefacts.passed_over)
    text += fmt::format("passed over: {}\n", printable(file, kMostOfALine));
  for (const std::string& note : artefacts.notes)
    text += fmt::format("note: {}\n", printable(note, kMostOfALine));
  return text;
}

}  // namespace plumb::reports
