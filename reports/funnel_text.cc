// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/funnel_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/printable.h"
#include "invariants/invariants.h"

namespace plumb::reports {
namespace {

constexpr std::size_t kColumns = 120;
constexpr std::size_t kReasonsColumn = 70;  // of the table of invariants

using Count = std::pair<std::string, std::uint64_t>;

// Most frequent first.
std::vector<Count> sorted(std::vector<Count> counts) {
  std::ranges::sort(counts, [](const Count& a, const Count& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return counts;
}

std::vector<Count> reasons_of(const harness::InvariantCounts& counts) {
  std::vector<Count> reasons;
  for (std::size_t i = 0; i < counts.not_applicable.size(); ++i) {
    if (counts.not_applicable[i] == 0) continue;
    reasons.emplace_back(reason_phrase(static_cast<NotApplicableReason>(i)),
                         counts.not_applicable[i]);
  }
  return sorted(std::move(reasons));
}

// The last column of the table, and what does not fit into its line.
std::string reasons_lines(const std::vector<Count>& reasons) {
  std::string text;
  std::size_t column = kReasonsColumn;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    std::string reason = reasons[i].first;
    if (reasons.size() > 1) reason += fmt::format(" ({})", reasons[i].second);
    if (i + 1 < reasons.size()) reason += ",";
    if (i > 0 && column + 1 + reason.size() > kColumns) {
      text += "\n" + std::string(kReasonsColumn - 1, ' ');
      column = kReasonsColumn - 1;
    }
    text += (column == kReasonsColumn ? "  " : " ") + reason;
    column += 1 + reason.size();
  }
  return text + "\n";
}

}  // namespace

std::string funnel_text(const harness::FunnelCounts& counts, std::uint64_t capabilities) {
  std::string text;
  for (const auto& [name, count] : harness::funnel_rows(counts)) {
    // Second opinions are counted against how many were asked for; interrupts and walks are no
    // cases.
    if (name.starts_with("opinion_") || name.starts_with("unwind_")) continue;
    if (count == 0 && !harness::can_reach(name, capabilities)) {
      text += fmt::format("  {:<28} {:>9}\n", name, "n/a");
      continue;
    }
    const std::uint64_t whole = name.starts_with("with_") ? counts.compared : counts.generated;
    const double share =
        whole == 0 ? 0 : 100.0 * static_cast<double>(count) / static_cast<double>(whole);
    text += fmt::format("  {:<28} {:>9}  {:>5.1f} %\n", name, count, share);
  }
  return text;
}

std::string reasons_text(std::string_view what, const harness::ReasonCounts& reasons) {
  std::string text;
  for (const auto& [reason, count] : sorted({reasons.begin(), reasons.end()})) {
    text += fmt::format("  {:<28} {:>9}  {}\n", what, count, printable(reason));
  }
  return text;
}

std::string walks_text(const harness::FunnelCounts& counts) {
  if (counts.unwind_walks == 0) return {};
  return fmt::format("  unwinding: {} interrupts taken, {} walks judged\n",
                     counts.unwind_interrupts, counts.unwind_walks);
}

std::string opinions_text(const harness::Funnel& funnel) {
  const harness::FunnelCounts& counts = funnel.counts;
  if (counts.opinion_asked == 0) return {};
  return fmt::format("  second opinions: {} asked, {} given, {} agree with the oracle\n",
                     counts.opinion_asked, counts.opinion_given, counts.opinion_agreed) +
         reasons_text("no second opinion", funnel.no_opinion);
}

std::string invariants_text(const harness::Funnel& funnel) {
  const auto table = invariants::invariant_table();
  const std::size_t rows = std::min(funnel.invariants.size(), table.size());
  if (rows == 0 || funnel.counts.ran == 0) return {};
  std::string text = fmt::format("  {:<36} {:>9} {:>9} {:>9}  {}\n", "invariant", "held",
                                 "violated", "n/a", "because");
  for (std::size_t i = 0; i < rows; ++i) {
    const harness::InvariantCounts& counts = funnel.invariants[i];
    const std::vector<Count> reasons = reasons_of(counts);
    std::uint64_t not_applicable = 0;
    for (const Count& reason : reasons) not_applicable += reason.second;
    text += fmt::format("  {:<36} {:>9} {:>9} {:>9}", table[i].name, counts.held, counts.violated,
                        not_applicable);
    text += reasons_lines(reasons);
  }
  return text;
}

}  // namespace plumb::reports
