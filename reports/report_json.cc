// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/report_json.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "invariants/invariants.h"
#include "oracle/reasons.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json finding_json(const Finding& finding) {
  return {{"signature", finding.signature.str()},
          {"invariant", finding.signature.invariant},
          {"known", text_or_null(finding.known)},
          {"case", finding.path},
          {"cases_until_found", finding.cases_until_found},
          {"count", finding.count},
          {"message", finding.message},
          {"second_opinion", text_or_null(finding.second_opinion)}};
}

Json counted(std::string_view reason, std::uint64_t count) {
  return {{"reason", reason}, {"count", count}};
}

Json reasons_json(const harness::ReasonCounts& reasons) {
  Json out = Json::array();
  for (const auto& [reason, count] : reasons) out.push_back(counted(reason, count));
  return out;
}

// Blind spots apart: what kernels run and the oracle does not.
Json undefined_json(const harness::ReasonCounts& reasons) {
  Json out = reasons_json(reasons);
  for (Json& row : out) {
    row["blind_spot"] = oracle::is_blind_spot(row["reason"].get_ref<const std::string&>());
  }
  return out;
}

Json reasons_object(const harness::ReasonCounts& reasons) {
  Json out = Json::object();
  for (const auto& [reason, count] : reasons) out[reason] = count;
  return out;
}

Json invariants_json(const harness::Funnel& funnel) {
  Json out = Json::array();
  const auto table = invariants::invariant_table();
  for (std::size_t i = 0; i < funnel.invariants.size() && i < table.size(); ++i) {
    const harness::InvariantCounts& counts = funnel.invariants[i];
    Json not_applicable = Json::array();
    for (std::size_t r = 0; r < counts.not_applicable.size(); ++r) {
      if (counts.not_applicable[r] == 0) continue;
      not_applicable.push_back(
          counted(reason_phrase(static_cast<NotApplicableReason>(r)), counts.not_applicable[r]));
    }
    out.push_back({{"name", table[i].name},
                   {"held", counts.held},
                   {"not_applicable", not_applicable},
                   {"violated", counts.violated}});
  }
  return out;
}

Json jit_json(const JitReport& jit) {
  Json funnel = Json::object();
  for (const auto& [name, count] : harness::funnel_rows(jit.funnel.counts)) {
    funnel[std::string(name)] = count;
  }
  Json findings = Json::array();
  for (const Finding& finding : jit.findings) findings.push_back(finding_json(finding));
  return {{"name", jit.name},
          {"arch", jit.arch},
          {"available", true},
          {"reason", ""},
          {"funnel", funnel},
          {"undefined", reasons_object(jit.funnel.undefined)},
          {"undefined_reasons", undefined_json(jit.funnel.undefined)},
          {"not_applicable_reasons", reasons_json(jit.funnel.not_applicable)},
          {"no_opinion", reasons_object(jit.funnel.no_opinion)},
          {"not_judged", not_judged(jit)},
          {"invariants", invariants_json(jit.funnel)},
          {"rate", jit.rate},
          {"findings", findings}};
}

Json complaints_json(const std::vector<CaseComplaint>& complaints) {
  Json out = Json::array();
  for (const CaseComplaint& complaint : complaints) {
    out.push_back({{"case", complaint.path}, {"message", complaint.message}});
  }
  return out;
}

}  // namespace

std::string report_json(const Report& report) {
  Json jits = Json::array();
  for (const JitReport& jit : report.jits) jits.push_back(jit_json(jit));
  for (const UnavailableJit& jit : report.not_available) {
    jits.push_back({{"name", jit.name}, {"available", false}, {"reason", jit.reason}});
  }
  const Json out{{"version", 1},
                 {"command", report.command},
                 {"seed", report.seed},
                 {"seconds", report.seconds},
                 {"jits", jits},
                 {"unexpected", complaints_json(report.unexpected)},
                 {"stale_waivers", complaints_json(report.stale)},
                 {"harness_failures", report.harness_failures}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace plumb::reports
