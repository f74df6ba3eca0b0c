// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "harness/waivers.h"
#include "jit_under_test/reference/defects.h"

namespace plumb::harness {

struct KillOptions {
  std::uint64_t seed = 1;
  std::uint64_t runs = 20'000;   // cases for each defect, at most
  std::uint64_t at_least = 100;  // go on so far when it is caught earlier: what else notices it?
  // What is known of the layouts: it does not pass for a defect (causes.h). Outlives the call.
  std::span<const NamedWaiver> waivers{};
};

// One seeded defect in one layout.
struct KillRow {
  const jit::reference::DefectInfo* defect = nullptr;
  std::string layout;
  std::uint64_t cases = 0;   // judged
  std::uint64_t ran = 0;     // of those
  std::uint64_t needed = 0;  // until an expected invariant led; 0: none ever did
  std::string caught_by;     // that invariant
  struct Cell {
    std::uint64_t led = 0;   // cases whose finding it names
    std::uint64_t seen = 0;  // cases that it does not hold in
  };
  std::map<std::string, Cell, std::less<>> cells;  // by invariant
};

// The mistakes of unwinders (core/unwind/mistakes.h), as defects of layouts without one: nothing is
// wrong with their code, and the walks are.
[[nodiscard]] std::span<const jit::reference::DefectInfo> unwinder_defects();

// The layouts that a defect is tried in: all that it can be built into.
[[nodiscard]] std::vector<std::string> layouts_for(const jit::reference::DefectInfo& defect);

// Fuzzes the layout with the defect. What waivers explain does not count, and they explain only
// what the layout without the defect shows as well.
[[nodiscard]] Result<KillRow> kill(const jit::reference::DefectInfo& defect,
                                   std::string_view layout, const KillOptions& options);

// All defects, in the order of the table, then those of unwinders.
[[nodiscard]] Result<std::vector<KillRow>> kill_matrix(
    const KillOptions& options, const std::function<void(const KillRow&)>& on_row = {});

// Defect x invariant: '#' it names a finding, '+' it does not hold either, '.' it holds.
[[nodiscard]] std::string print_kill_matrix(const std::vector<KillRow>& rows);

}  // namespace plumb::harness
