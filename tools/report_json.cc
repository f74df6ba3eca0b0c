// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/report_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "core/capability.h"
#include "harness/second_opinion.h"

namespace plumb::tools {
namespace {

using Json = nlohmann::ordered_json;

Json finding_json(const FindingReport& finding) {
  return {{"signature", finding.signature},
          {"invariant", finding.invariant},
          {"known", finding.known.empty() ? Json(nullptr) : Json(finding.known)},
          {"case", finding.path},
          {"cases_until_found", finding.cases_until_found},
          {"count", finding.count},
          {"message", finding.message},
          {"second_opinion",
           finding.second_opinion.empty() ? Json(nullptr) : Json(finding.second_opinion)}};
}

Json jit_json(const JitReport& jit) {
  Json funnel = Json::object();
  for (const auto& [name, count] : harness::funnel_rows(jit.funnel.counts)) {
    funnel[std::string(name)] = count;
  }
  Json undefined = Json::object();
  for (const auto& [reason, count] : jit.funnel.undefined) undefined[reason] = count;
  Json no_opinion = Json::object();
  for (const auto& [reason, count] : jit.funnel.no_opinion) no_opinion[reason] = count;
  Json findings = Json::array();
  for (const FindingReport& finding : jit.findings) findings.push_back(finding_json(finding));
  return {{"name", jit.name},         {"arch", jit.arch},
          {"available", true},        {"reason", ""},
          {"funnel", funnel},         {"undefined", undefined},
          {"no_opinion", no_opinion}, {"rate", jit.rate},
          {"findings", findings}};
}

Json complaints_json(const std::vector<CaseComplaint>& complaints) {
  Json out = Json::array();
  for (const CaseComplaint& complaint : complaints) {
    out.push_back({{"case", complaint.path}, {"message", complaint.message}});
  }
  return out;
}

void print_json(const Report& report) {
  Json jits = Json::array();
  for (const JitReport& jit : report.jits) jits.push_back(jit_json(jit));
  const Json out{{"version", 1},
                 {"command", report.command},
                 {"seed", report.seed},
                 {"seconds", report.seconds},
                 {"jits", jits},
                 {"unexpected", complaints_json(report.unexpected)},
                 {"stale_waivers", complaints_json(report.stale)},
                 {"harness_failures", report.harness_failures}};
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string verdict_line(const JitReport& jit) {
  std::set<std::string> signatures;
  bool all_known = true;
  for (const FindingReport& finding : jit.findings) {
    signatures.insert(finding.signature);
    all_known &= !finding.known.empty();
  }
  const std::uint64_t compared = jit.funnel.counts.compared;
  if (jit.findings.empty()) return fmt::format("conforms over {} compared cases", compared);
  return fmt::format("{} finding{} over {} compared cases{}", signatures.size(),
                     signatures.size() == 1 ? "" : "s", compared, all_known ? ", all known" : "");
}

void print_funnel(const harness::Funnel& funnel, std::uint64_t capabilities) {
  const std::uint64_t generated = funnel.counts.generated;
  const std::uint64_t compared = funnel.counts.compared;
  for (const auto& [name, count] : harness::funnel_rows(funnel.counts)) {
    const bool cannot =
        name == "with_throw" && (capabilities & capability_bit(Capability::kThrow)) == 0;
    if (cannot && count == 0) {
      fmt::print("  {:<28} {:>9}\n", name, "n/a");
      continue;
    }
    // Second opinions are counted against how many were asked for.
    if (name.starts_with("opinion_")) continue;
    const std::uint64_t whole = name.starts_with("with_") ? compared : generated;
    const double share =
        whole == 0 ? 0 : 100.0 * static_cast<double>(count) / static_cast<double>(whole);
    fmt::print("  {:<28} {:>9}  {:>5.1f} %\n", name, count, share);
  }
  for (const auto& [reason, count] : funnel.undefined) {
    fmt::print("  undefined: {:<17} {:>9}\n", reason, count);
  }
}

// Nothing where nobody was asked.
void print_opinions(const harness::Funnel& funnel) {
  const harness::FunnelCounts& counts = funnel.counts;
  if (counts.opinion_asked == 0) return;
  fmt::print("  second opinions: {} asked, {} given, {} agree with the oracle\n",
             counts.opinion_asked, counts.opinion_given, counts.opinion_agreed);
  for (const auto& [reason, count] : funnel.no_opinion) {
    fmt::print("    not applicable: {:<72} {:>9}\n", reason, count);
  }
}

// A finding and, for a corpus, every case that showed it.
void print_finding(const FindingReport& finding, std::span<const std::string> paths) {
  fmt::print("  finding {}\n", finding.signature);
  fmt::print("    {}\n", finding.message);
  if (!finding.known.empty()) fmt::print("    known: {}\n", finding.known);
  if (!finding.second_opinion.empty()) fmt::print("    {}\n", finding.second_opinion);
  if (finding.cases_until_found > 0) {
    fmt::print("    first after {} cases, {} in all\n", finding.cases_until_found, finding.count);
  }
  for (const std::string& path : paths) fmt::print("    case: {}\n", path);
}

void print_findings(const std::vector<FindingReport>& findings) {
  std::set<std::string> printed;
  for (const FindingReport& finding : findings) {
    if (!printed.insert(finding.signature + finding.known).second) continue;
    std::vector<std::string> paths;
    for (const FindingReport& other : findings) {
      if (other.signature == finding.signature && other.known == finding.known) {
        paths.push_back(other.path);
      }
    }
    print_finding(finding, paths);
  }
}

void print_text(const Report& report) {
  for (const JitReport& jit : report.jits) {
    fmt::print("{}: {}\n", jit.name, verdict_line(jit));
    print_funnel(jit.funnel, jit.capabilities);
    if (jit.rate > 0) fmt::print("  {:<28} {:>9.0f}  per second\n", "compared", jit.rate);
    print_opinions(jit.funnel);
    print_findings(jit.findings);
  }
}

// What is wrong beside findings.
void complain(const Report& report) {
  std::fflush(stdout);
  for (const auto* complaints : {&report.unexpected, &report.stale}) {
    for (const CaseComplaint& complaint : *complaints) {
      fmt::print(stderr, "plumb: {}: {}\n", complaint.path, complaint.message);
    }
  }
  for (const std::string& failure : report.harness_failures) {
    fmt::print(stderr, "plumb: the harness failed: {}\n", failure);
  }
}

}  // namespace

JitReport make_report(const jit::JitInfo& info) {
  JitReport report;
  report.name = info.name;
  report.arch = std::string(arch_name(info.arch));
  report.capabilities = info.capabilities;
  return report;
}

void add_finding(JitReport& report, const Judgement& judgement, const std::string& path,
                 const std::string& known) {
  const std::string message =
      judgement.violations.empty() ? judgement.reason : judgement.violations.front().message;
  report.findings.push_back({.signature = judgement.signature.str(),
                             .invariant = judgement.signature.invariant,
                             .known = known,
                             .path = path,
                             .cases_until_found = 0,
                             .count = 1,
                             .message = message,
                             .second_opinion = harness::opinion_text(judgement.opinion)});
}

void print_report(const Session& session, const Report& report) {
  if (session.json) {
    print_json(report);
  } else {
    print_text(report);
  }
  complain(report);
}

}  // namespace plumb::tools
