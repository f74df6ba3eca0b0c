// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/kill_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "invariants/invariants.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using jit::reference::DefectInfo;
using jit::reference::LayoutRow;

constexpr std::uint64_t kFullEvery = 16;

std::string jit_name(std::string_view layout) { return fmt::format("reference:{}", layout); }

void note(KillRow& row, const Judgement& judgement) {
  std::set<std::string_view> seen;
  for (const Violation& violation : judgement.violations) seen.insert(violation.invariant);
  for (const std::string_view invariant : seen) ++row.cells[std::string(invariant)].seen;
  ++row.cells[judgement.signature.invariant].led;
  const bool is_first = row.needed == 0;
  if (!is_first || !jit::reference::is_expected(*row.defect, judgement.signature.invariant)) return;
  row.needed = row.cases;
  row.caught_by = judgement.signature.invariant;
}

}  // namespace

std::vector<std::string> layouts_for(const DefectInfo& defect) {
  std::vector<std::string> layouts;
  for (const LayoutRow& row : jit::reference::layout_table()) {
    if (jit::reference::applies_to(defect, row.name)) layouts.emplace_back(row.name);
  }
  return layouts;
}

Result<KillRow> kill(const DefectInfo& defect, std::string_view layout,
                     const KillOptions& options) {
  auto broken = jit::reference::open(fmt::format("{}+{}", jit_name(layout), defect.name));
  if (!broken) return std::unexpected(broken.error());
  KillRow row;
  row.defect = &defect;
  row.layout = layout;
  Judge judge;
  judge.know(options.waivers);
  while (row.cases < options.runs && (row.needed == 0 || row.cases < options.at_least)) {
    const Case value = gen::generate(nth_seed(options.seed, row.cases));
    const Depth depth = row.cases % kFullEvery == 0 ? Depth::kFull : Depth::kFast;
    ++row.cases;
    const Outcome outcome = judge.judge(value, **broken, depth);
    row.ran += outcome.stage >= Stage::kRan;
    if (!is_finding(outcome.judgement) || !outcome.judgement.known.empty()) continue;
    note(row, outcome.judgement);
  }
  return row;
}

Result<std::vector<KillRow>> kill_matrix(const KillOptions& options,
                                         const std::function<void(const KillRow&)>& on_row) {
  std::vector<KillRow> rows;
  for (const DefectInfo& defect : jit::reference::defect_table()) {
    for (const std::string& layout : layouts_for(defect)) {
      Result<KillRow> row = kill(defect, layout, options);
      if (!row) return std::unexpected(row.error());
      if (on_row) on_row(*row);
      rows.push_back(std::move(*row));
    }
  }
  return rows;
}

std::string print_kill_matrix(const std::vector<KillRow>& rows) {
  std::string text;
  const auto table = invariants::invariant_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    text += fmt::format("  {:2} {}\n", i + 1, table[i].name);
  }
  std::string tens;
  std::string ones;
  for (std::size_t i = 1; i <= table.size(); ++i) {
    tens += i % 10 == 0 ? static_cast<char>('0' + i / 10) : ' ';
    ones += static_cast<char>('0' + i % 10);
  }
  text += fmt::format("\n  {:27} {:22} {:>6}  {}\n  {:27} {:22} {:>6}  {}\n", "", "", "", tens,
                      "defect", "layout", "cases", ones);
  for (const KillRow& row : rows) {
    std::string marks;
    for (const auto& invariant : table) {
      const auto cell = row.cells.find(invariant.name);
      marks += cell == row.cells.end() ? '.' : cell->second.led > 0 ? '#' : '+';
    }
    const std::string needed = row.needed != 0 ? fmt::format("{}", row.needed) : "NEVER";
    text += fmt::format("  {:27} {:22} {:>6}  {}\n", row.defect->name, row.layout, needed, marks);
  }
  return text;
}

}  // namespace plumb::harness
