// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/arch.h"
#include "harness/walks.h"

namespace plumb::reports {

// What every unwinder made of every instruction of many generated cases, a row for each JIT.
struct SheetRow {
  std::string jit;
  Arch arch = Arch::kX86_64;
  std::string era;          // which kernels have the layout, or empty
  std::uint64_t cases = 0;  // walked
  std::string left_out;     // "5 undefined, 2 violation"
  std::vector<unwind::Unwinder> unwinders;
  std::vector<harness::WalkTally> tallies;  // by unwinder

  // Nothing: the unwinder is of another architecture, or was not told what it needs.
  [[nodiscard]] const harness::WalkTally* tally(unwind::Unwinder unwinder) const;
};
struct UnwindSheet {
  std::uint64_t cases = 0;  // generated for each JIT
  std::uint64_t seed = 0;
  std::vector<SheetRow> rows;

  // Those of any row, in the order of the table.
  [[nodiscard]] std::vector<unwind::Unwinder> unwinders() const;
};

// The worst that was seen; nothing of no walks.
[[nodiscard]] std::optional<unwind::Outcome> worst_of(const harness::WalkTally& tally);

// Cells are the share of instructions from which a walk finds every caller, in percent and rounded
// down, and the letter of the worst outcome.
[[nodiscard]] std::string sheet_text(const UnwindSheet& sheet);
[[nodiscard]] nlohmann::ordered_json sheet_json(const UnwindSheet& sheet);
[[nodiscard]] std::string sheet_svg(const UnwindSheet& sheet);

}  // namespace plumb::reports
