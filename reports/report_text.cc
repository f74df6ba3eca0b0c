// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "core/printable.h"
#include "invariants/invariants.h"
#include "oracle/reasons.h"
#include "reports/funnel_text.h"

namespace plumb::reports {
namespace {

enum class Tone : std::uint8_t { kPlain, kGood, kKnown, kBad };

std::string coloured(const std::string& text, Tone tone, const TextOptions& options) {
  constexpr std::string_view kCodes[] = {"", "\033[32m", "\033[33m", "\033[31m"};
  if (!options.colour || tone == Tone::kPlain) return text;
  return fmt::format("{}{}\033[0m", kCodes[static_cast<std::size_t>(tone)], text);
}

std::string plural(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

struct VerdictText {
  std::string word;  // for the table
  std::string line;  // for the paragraph
  Tone tone = Tone::kPlain;
};

VerdictText verdict_of(const JitReport& jit) {
  const harness::FunnelCounts& counts = jit.funnel.counts;
  const FindingCount findings = count_findings(jit);
  const std::string over = fmt::format("over {} compared cases", counts.compared);
  if (findings.fresh > 0) {
    return {.word = plural(findings.fresh, "finding"),
            .line = fmt::format(
                "{} {}{}", plural(findings.fresh, "finding"), over,
                findings.known == 0 ? "" : fmt::format(", {} more known", findings.known)),
            .tone = Tone::kBad};
  }
  if (const std::size_t missing = not_judged(jit); missing > 0) {
    const std::string text = fmt::format("{} not judged", missing);
    return {.word = text, .line = text + ", " + over, .tone = Tone::kBad};
  }
  if (findings.known > 0) {
    return {.word = "known only",
            .line = fmt::format("{} {}, all known", plural(findings.known, "finding"), over),
            .tone = Tone::kKnown};
  }
  if (counts.compared == 0) {
    return {.word = "not compared",
            .line = fmt::format("none of {} was compared", plural(counts.generated, "case")),
            .tone = Tone::kKnown};
  }
  return {.word = "conforms", .line = "conforms " + over, .tone = Tone::kGood};
}

// What a verifier refuses, or what kernels run and the oracle does not.
harness::ReasonCounts undefined_reasons(const harness::Funnel& funnel, bool blind_spots) {
  harness::ReasonCounts reasons = funnel.undefined;
  std::erase_if(reasons, [blind_spots](const auto& row) {
    return oracle::is_blind_spot(row.first) != blind_spots;
  });
  return reasons;
}

// Each case of a corpus and what became of it.
std::string cases_text(const JitReport& jit) {
  std::string text;
  for (const CaseRow& row : jit.cases) {
    text += fmt::format("  {:<14} {}", verdict_name(row.verdict), row.path);
    for (const std::size_t index : row.findings) {
      text += "  " + jit.findings[index].signature.str();
    }
    if (row.findings.empty() && !row.reason.empty()) text += "  " + printable(row.reason);
    if (row.findings.empty() && !row.detail.empty()) text += ": " + printable(row.detail);
    text += "\n";
  }
  return text;
}

std::string paragraph(const Report& report, const JitReport& jit, const TextOptions& options) {
  const VerdictText verdict = verdict_of(jit);
  std::string text =
      fmt::format("{}: {}\n", printable(jit.name), coloured(verdict.line, verdict.tone, options));
  if (report.command == "fuzz" || options.verbose) {
    text += funnel_text(jit.funnel.counts, jit.capabilities);
    if (jit.rate > 0) text += fmt::format("  {:<28} {:>9.0f}  per second\n", "compared", jit.rate);
  }
  text += reasons_text("not applicable", jit.funnel.not_applicable);
  text += reasons_text("undefined", undefined_reasons(jit.funnel, false));
  text += reasons_text("undefined, a blind spot", undefined_reasons(jit.funnel, true));
  text += opinions_text(jit.funnel) + walks_text(jit.funnel.counts);
  if (options.verbose) text += invariants_text(jit.funnel) + cases_text(jit);
  return text;
}

// What a finding is to somebody who reads: its signature, and the waiver that covers it.
struct Group {
  std::vector<const Finding*> findings;
  std::vector<std::string> jits;
};
using Groups = std::map<std::pair<std::string, std::string>, Group>;  // (known, signature)

Groups grouped(const Report& report) {
  Groups groups;
  for (const JitReport& jit : report.jits) {
    for (const Finding& finding : jit.findings) {
      Group& group = groups[{finding.known, finding.signature.str()}];
      group.findings.push_back(&finding);
      const std::string name = printable(jit.name);
      if (std::ranges::find(group.jits, name) == group.jits.end()) group.jits.push_back(name);
    }
  }
  return groups;
}

// "a, b, c and 4 more".
std::string some_of(const std::vector<std::string>& texts, std::size_t most) {
  const std::size_t shown = std::min(texts.size(), most);
  const std::vector<std::string> first(texts.begin(),
                                       texts.begin() + static_cast<std::ptrdiff_t>(shown));
  const std::size_t left = texts.size() - shown;
  return fmt::format("{}{}", fmt::join(first, ", "),
                     left == 0 ? "" : fmt::format(" and {} more", left));
}

std::string finding_text(const Report& report, const std::string& signature, const Group& group,
                         const TextOptions& options) {
  const Finding& first = *group.findings.front();
  const bool is_known = !first.known.empty();
  constexpr std::size_t kMostCases = 5;
  constexpr std::size_t kMostJits = 3;
  std::string text = fmt::format(
      "{} {}{}\n", coloured("finding", is_known ? Tone::kKnown : Tone::kBad, options), signature,
      report.jits.size() == 1
          ? ""
          : " on " + some_of(group.jits, options.verbose ? group.jits.size() : kMostJits));
  text += fmt::format("  {}\n", printable(first.message));
  if (is_known) text += fmt::format("  known: {}\n", first.known);
  if (!first.second_opinion.empty()) text += fmt::format("  {}\n", printable(first.second_opinion));
  if (first.cases_until_found > 0) {
    text +=
        fmt::format("  first after {} cases, {} in all\n", first.cases_until_found, first.count);
  }
  std::vector<std::string> paths;
  for (const Finding* finding : group.findings) {
    const bool is_new = std::ranges::find(paths, finding->path) == paths.end();
    if (!finding->path.empty() && is_new) paths.push_back(finding->path);
  }
  const std::size_t shown =
      options.verbose ? paths.size() : std::min(paths.size(), is_known ? 1 : kMostCases);
  for (std::size_t i = 0; i < shown; ++i) text += fmt::format("  case: {}\n", paths[i]);
  if (shown < paths.size()) text += fmt::format("  and {} more cases\n", paths.size() - shown);
  return text;
}

// New ones always; known ones in full when there is room, else counted by waiver.
std::string findings_text(const Report& report, const TextOptions& options) {
  std::string text;
  const bool in_full = options.verbose || report.jits.size() <= kFewJits;
  const Groups groups = grouped(report);
  std::map<std::string, std::vector<std::string>> known;  // waiver -> JITs
  for (const auto& [key, group] : groups) {
    const auto& [waiver, signature] = key;
    if (waiver.empty() || in_full) {
      text += finding_text(report, signature, group, options);
      continue;
    }
    std::vector<std::string>& jits = known[waiver];
    for (const std::string& jit : group.jits) {
      if (std::ranges::find(jits, jit) == jits.end()) jits.push_back(jit);
    }
  }
  if (known.empty()) return text;
  text += fmt::format("{}\n", coloured("known findings", Tone::kKnown, options));
  for (const auto& [waiver, jits] : known) {
    text += fmt::format("  {:<56} {}\n", waiver,
                        jits.size() <= 1 ? jits.front() : plural(jits.size(), "JIT"));
  }
  return text;
}

// Reasons and second opinions of all JITs together, where they have no paragraphs.
std::string sums_text(const Report& report) {
  harness::Funnel sum;
  for (const JitReport& jit : report.jits) sum.merge(jit.funnel);
  return reasons_text("not applicable", sum.not_applicable) +
         reasons_text("undefined", undefined_reasons(sum, false)) +
         reasons_text("undefined, a blind spot", undefined_reasons(sum, true)) +
         opinions_text(sum) + walks_text(sum.counts);
}

// Why an invariant applied to no case, the most frequent reason.
std::string_view main_reason(const harness::Funnel& funnel, std::string_view invariant) {
  const auto table = invariants::invariant_table();
  const auto row = std::ranges::find(table, invariant, &invariants::InvariantInfo::name);
  const auto& counts =
      funnel.invariants[static_cast<std::size_t>(row - table.begin())].not_applicable;
  const auto most = std::ranges::max_element(counts);
  return reason_phrase(static_cast<NotApplicableReason>(most - counts.begin()));
}

// A fuzz run that had nothing to say about an invariant.
std::string untested_text(const Report& report) {
  if (report.command != "fuzz") return {};
  using Key = std::pair<std::string_view, std::string_view>;  // invariant, reason
  std::vector<std::pair<Key, std::vector<std::string>>> untested;
  for (const JitReport& jit : report.jits) {
    for (const std::string_view invariant : harness::invariants_without_case(jit.funnel)) {
      const Key key{invariant, main_reason(jit.funnel, invariant)};
      auto row = std::ranges::find(untested, key, [](const auto& entry) { return entry.first; });
      if (row == untested.end()) row = untested.insert(row, {key, {}});
      row->second.push_back(printable(jit.name));
    }
  }
  std::string text;
  for (const auto& [key, jits] : untested) {
    text += fmt::format("no case for invariant {}{}: {}\n", key.first,
                        jits.size() == report.jits.size() ? "" : " on " + some_of(jits, kFewJits),
                        key.second);
  }
  return text;
}

std::uint64_t sum_of(const harness::ReasonCounts& reasons) {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : reasons) sum += count;
  return sum;
}

std::string table_text(const Report& report, const TextOptions& options) {
  const bool has_rate =
      std::ranges::any_of(report.jits, [](const JitReport& jit) { return jit.rate > 0; });
  std::size_t width = 3;
  std::size_t verdict_width = 12;
  for (const JitReport& jit : report.jits) {
    width = std::max(width, printable(jit.name).size());
    verdict_width = std::max(verdict_width, verdict_of(jit).word.size());
  }
  std::string text = fmt::format("{:<{}}  {:<{}} {:>9} {:>9} {:>9} {:>7} {:>9} {:>5} {:>5}", "JIT",
                                 width, "verdict", verdict_width, "ran", "compared", "of", "n/a",
                                 "undefined", "new", "known");
  text += has_rate ? fmt::format(" {:>8}\n", "per s") : "\n";
  for (const JitReport& jit : report.jits) {
    const VerdictText verdict = verdict_of(jit);
    const FindingCount findings = count_findings(jit);
    const std::string padding(verdict_width - verdict.word.size(), ' ');
    text += fmt::format("{:<{}}  {}{} {:>9} {:>9} {:>9} {:>7} {:>9} {:>5} {:>5}",
                        printable(jit.name), width, coloured(verdict.word, verdict.tone, options),
                        padding, jit.funnel.counts.ran, jit.funnel.counts.compared,
                        jit.funnel.counts.generated, sum_of(jit.funnel.not_applicable),
                        sum_of(jit.funnel.undefined), findings.fresh, findings.known);
    text += has_rate ? fmt::format(" {:>8.0f}\n", jit.rate) : "\n";
  }
  return text;
}

}  // namespace

std::string report_text(const Report& report, const TextOptions& options) {
  const bool has_paragraphs = options.verbose || report.jits.size() <= kFewJits;
  std::string text;
  const auto add = [&text](const std::string& part) {
    if (!text.empty() && !part.empty()) text += "\n";
    text += part;
  };
  std::string paragraphs;
  for (const JitReport& jit : report.jits) {
    if (has_paragraphs) paragraphs += paragraph(report, jit, options);
  }
  add(has_paragraphs ? paragraphs : sums_text(report));
  add(findings_text(report, options));
  add(untested_text(report));
  if (report.jits.size() > 1) add(table_text(report, options));
  return text;
}

std::string complaints_text(const Report& report) {
  std::string text;
  for (const auto* complaints : {&report.unexpected, &report.stale}) {
    for (const CaseComplaint& complaint : *complaints) {
      text += fmt::format("plumb: {}: {}\n", complaint.path, printable(complaint.message));
    }
  }
  for (const std::string& failure : report.harness_failures) {
    text += fmt::format("plumb: the harness failed: {}\n", printable(failure));
  }
  return text;
}

}  // namespace plumb::reports
