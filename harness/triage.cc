// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/triage.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "harness/minimize.h"
#include "harness/minimize_isolated.h"

namespace plumb::harness {
namespace {

class Grouping {
 public:
  Grouping(std::span<const NamedCase> cases, JitList jits) : cases_(cases), jits_(jits) {}

  void add(const CheckRow& row) {
    if (!is_finding(row.judgement)) return;
    const auto it = std::ranges::find_if(rows_, [&](const TriageRow& other) {
      return other.signature == row.judgement.signature && other.known == row.known;
    });
    if (it == rows_.end()) return begin(row);
    const std::string& jit = jits_[row.jit_index]->info().name;
    if (std::ranges::find(it->jits, jit) == it->jits.end()) it->jits.push_back(jit);
    if (last_case_[static_cast<std::size_t>(it - rows_.begin())] != row.case_index) ++it->count;
    last_case_[static_cast<std::size_t>(it - rows_.begin())] = row.case_index;
    if (case_size(cases_[row.case_index].value) < case_size(cases_[it->smallest].value)) {
      it->smallest = row.case_index;
      it->jit_index = row.jit_index;
      it->message = finding_of(row.judgement).message;
      it->path = cases_[row.case_index].path;
    }
  }

  std::vector<TriageRow> rows() {
    std::ranges::sort(rows_, [](const TriageRow& a, const TriageRow& b) {
      return std::tuple(!a.known.empty(), b.count, a.signature.str(), a.known) <
             std::tuple(!b.known.empty(), a.count, b.signature.str(), b.known);
    });
    return std::move(rows_);
  }

 private:
  void begin(const CheckRow& row) {
    TriageRow begun{finding_of(row.judgement)};
    begun.known = row.known;
    begun.path = cases_[row.case_index].path;
    begun.jits = {jits_[row.jit_index]->info().name};
    begun.smallest = row.case_index;
    begun.jit_index = row.jit_index;
    rows_.push_back(std::move(begun));
    last_case_.push_back(row.case_index);
  }

  std::span<const NamedCase> cases_;
  JitList jits_;
  std::vector<TriageRow> rows_;
  std::vector<std::size_t> last_case_;  // by row: which case was counted last
};

}  // namespace

int Triage::status() const {
  if (!harness_failures.empty()) return 3;
  return std::ranges::any_of(rows, [](const TriageRow& row) { return row.known.empty(); }) ? 1 : 0;
}

Triage triage(std::span<const NamedCase> cases, JitList jits, const CheckOptions& options) {
  const CheckReport checked = check_cases(cases, jits, options);
  Grouping grouping(cases, jits);
  std::vector<bool> shown(cases.size(), false);
  std::vector<bool> killed(cases.size(), false);
  std::vector<bool> judged(cases.size(), true);
  for (const CheckRow& row : checked.rows) {
    grouping.add(row);
    if (is_finding(row.judgement)) shown[row.case_index] = true;
    if (row.judgement.verdict == Verdict::kCrash) killed[row.case_index] = true;
    if (row.judgement.verdict == Verdict::kNotJudged ||
        row.judgement.verdict == Verdict::kPluginFailed) {
      judged[row.case_index] = false;
    }
  }
  Triage result{.rows = grouping.rows(),
                .silent = {},
                .harmless = {},
                .harness_failures = checked.harness_failures};
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (!judged[i]) continue;
    if (!shown[i]) result.silent.push_back(i);
    if (!killed[i]) result.harmless.push_back(i);
  }
  return result;
}

Case minimised_case(const TriageRow& row, std::span<const NamedCase> cases, JitList jits) {
  jit::Jit& jit = *jits[row.jit_index];
  Case out =
      minimize_isolated(cases[row.smallest].value, jit, row.signature, row.verdict).result.value;
  out.waivers.clear();
  out.expectation = {};
  out.notes = {fmt::format("{} on {}", row.signature.str(), jit.info().name), row.message};
  return out;
}

}  // namespace plumb::harness
