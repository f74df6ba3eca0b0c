// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "harness/walks.h"

namespace plumb::reports {

// Every instruction of an image's functions and thunks, and the worst that each unwinder made of it
// (core/unwind/outcomes.inc).
struct MatrixRow {
  std::uint64_t offset = 0;  // in the function
  std::string text;          // native instruction
  // By the matrix's unwinders; nothing: it did not run.
  std::vector<std::optional<unwind::Outcome>> outcomes;
};
struct MatrixFunction {
  std::string name;  // "entry.main"
  std::vector<MatrixRow> rows;
};
struct UnwindMatrix {
  std::string jit;
  std::vector<unwind::Unwinder> unwinders;
  std::vector<MatrixFunction> functions;
  std::vector<harness::WalkTally> tallies;  // by unwinder
  std::vector<harness::StartWalks> starts;  // in C code on top of the image's
  std::uint64_t steps = 0;
};
[[nodiscard]] UnwindMatrix unwind_matrix(const Case& value, const Image& image,
                                         const harness::WalkReport& report);

// For a terminal: a legend, the code with a column for each unwinder, the shares.
[[nodiscard]] std::string matrix_text(const UnwindMatrix& matrix);
[[nodiscard]] nlohmann::ordered_json matrix_json(const UnwindMatrix& matrix);

// How many of all walks found every caller, rounded down to hundredths: 100.00 says all of them.
[[nodiscard]] double right_percent(const harness::WalkTally& tally);

// The walks that start in C code: a line for each start, mark and unwinder that walked. Empty: none
// did.
[[nodiscard]] std::string starts_text(const std::vector<unwind::Unwinder>& unwinders,
                                      const std::vector<harness::StartWalks>& starts);
[[nodiscard]] nlohmann::ordered_json starts_json(const std::vector<unwind::Unwinder>& unwinders,
                                                 const std::vector<harness::StartWalks>& starts);

// The summary of many runs: a line for each unwinder.
[[nodiscard]] std::string tallies_text(const std::vector<unwind::Unwinder>& unwinders,
                                       const std::vector<harness::WalkTally>& tallies);
[[nodiscard]] nlohmann::ordered_json tallies_json(const std::vector<unwind::Unwinder>& unwinders,
                                                  const std::vector<harness::WalkTally>& tallies);

}  // namespace plumb::reports
