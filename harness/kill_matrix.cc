// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/kill_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "core/rng.h"
#include "core/unwind/mistakes.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "harness/mistaken_machine.h"
#include "invariants/invariants.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using jit::reference::DefectInfo;
using jit::reference::LayoutRow;

constexpr std::uint64_t kFullEvery = 16;

std::string jit_name(std::string_view layout) { return fmt::format("reference:{}", layout); }

// Of two eras and an architecture with records; riscv64 has no layouts.
constexpr std::string_view layouts_of(std::string_view archs) {
  return archs.contains('a') ? "x86_64-5.2 x86_64-6.12 arm64-6.12" : "x86_64-5.2 x86_64-6.12";
}

constexpr DefectInfo kOfUnwinders[] = {
#define PLUMB_UNWIND_MISTAKE(id, name, archs, expected, reenacts, sentence) \
  {{}, name, layouts_of(archs), expected, reenacts, sentence},
#include "core/unwind/mistakes.inc"
};

// The JIT with the defect, and a judge that makes an unwinder's mistake instead where it is one.
struct Broken {
  std::unique_ptr<jit::Jit> jit;
  Judge judge;
};
Result<Broken> break_it(const DefectInfo& defect, std::string_view layout) {
  const unwind::MistakeInfo* const mistake = unwind::find_mistake(defect.name);
  auto jit = jit::reference::open(
      mistake != nullptr ? jit_name(layout) : fmt::format("{}+{}", jit_name(layout), defect.name));
  if (!jit) return std::unexpected(jit.error());
  if (mistake == nullptr) return Broken{.jit = *std::move(jit), .judge = Judge()};
  return Broken{.jit = *std::move(jit), .judge = Judge([mistake](Arch arch) {
                                          return std::make_unique<MistakenMachine>(
                                              machine::make_machine(arch), mistake->id);
                                        })};
}

// Walks start at interrupts alone.
Depth depth_of(const DefectInfo& defect, std::uint64_t nth) {
  if (unwind::find_mistake(defect.name) != nullptr) return Depth::kInterrupts;
  return nth % kFullEvery == 0 ? Depth::kFull : Depth::kFast;
}

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

std::span<const DefectInfo> unwinder_defects() { return kOfUnwinders; }

std::vector<std::string> layouts_for(const DefectInfo& defect) {
  std::vector<std::string> layouts;
  for (const LayoutRow& row : jit::reference::layout_table()) {
    if (jit::reference::applies_to(defect, row.name)) layouts.emplace_back(row.name);
  }
  return layouts;
}

Result<KillRow> kill(const DefectInfo& defect, std::string_view layout,
                     const KillOptions& options) {
  auto broken = break_it(defect, layout);
  if (!broken) return std::unexpected(broken.error());
  KillRow row;
  row.defect = &defect;
  row.layout = layout;
  broken->judge.know(options.waivers);
  while (row.cases < options.runs && (row.needed == 0 || row.cases < options.at_least)) {
    const Case value = gen::generate(nth_seed(options.seed, row.cases));
    const Depth depth = depth_of(defect, row.cases);
    ++row.cases;
    const Outcome outcome = broken->judge.judge(value, *broken->jit, depth);
    row.ran += outcome.stage >= Stage::kRan;
    if (!is_finding(outcome.judgement) || !outcome.judgement.known.empty()) continue;
    note(row, outcome.judgement);
  }
  return row;
}

Result<std::vector<KillRow>> kill_matrix(const KillOptions& options,
                                         const std::function<void(const KillRow&)>& on_row) {
  std::vector<KillRow> rows;
  for (const auto defects : {jit::reference::defect_table(), unwinder_defects()}) {
    for (const DefectInfo& defect : defects) {
      for (const std::string& layout : layouts_for(defect)) {
        Result<KillRow> row = kill(defect, layout, options);
        if (!row) return std::unexpected(row.error());
        if (on_row) on_row(*row);
        rows.push_back(std::move(*row));
      }
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
  text += fmt::format("\n  {:34} {:22} {:>6}  {}\n  {:34} {:22} {:>6}  {}\n", "", "", "", tens,
                      "defect", "layout", "cases", ones);
  for (const KillRow& row : rows) {
    std::string marks;
    for (const auto& invariant : table) {
      const auto cell = row.cells.find(invariant.name);
      marks += cell == row.cells.end() ? '.' : cell->second.led > 0 ? '#' : '+';
    }
    const std::string needed = row.needed != 0 ? fmt::format("{}", row.needed) : "NEVER";
    text += fmt::format("  {:34} {:22} {:>6}  {}\n", row.defect->name, row.layout, needed, marks);
  }
  return text;
}

}  // namespace plumb::harness
