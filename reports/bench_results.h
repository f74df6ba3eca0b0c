// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/arch.h"
#include "core/result.h"
#include "harness/frame_figures.h"
#include "jit_under_test/jit.h"

namespace plumb::reports {

// A JIT whose frames are measured.
struct MeasuredLayout {
  std::string name;  // of the JIT
  Arch arch = Arch::kX86_64;
  std::string era;  // "6.7 to 6.11", or what the JIT says of its version

  bool operator==(const MeasuredLayout&) const = default;
};

struct MeasuredShape {
  std::string name;
  std::string description;

  bool operator==(const MeasuredShape&) const = default;
};

// One shape under one layout.
struct Measured {
  std::optional<harness::FrameFigures> figures;
  std::string no_figures;     // why there are none
  std::vector<double> times;  // nanoseconds of one call, one for each repetition
  std::string no_times;       // why there are none

  bool operator==(const Measured&) const = default;
};

struct BenchResults {
  std::string processor;  // model name of the host's; empty: not known
  // Nanoseconds of one turn of the measuring loop: part of every other time.
  std::vector<double> loop_times;
  std::vector<MeasuredShape> shapes;
  std::vector<MeasuredLayout> layouts;  // architecture by architecture, in the order of their era
  std::vector<Measured> cells;          // shape by shape, layout by layout

  bool operator==(const BenchResults&) const = default;
  [[nodiscard]] const Measured& at(std::size_t shape, std::size_t layout) const {
    return cells[shape * layouts.size() + layout];
  }
  [[nodiscard]] Measured& at(std::size_t shape, std::size_t layout) {
    return cells[shape * layouts.size() + layout];
  }
};

// Oldest first within each architecture: layouts of the reference JIT as their table has them, the
// JITs of a kernel behind the layouts of its version.
void sort_by_era(std::vector<std::unique_ptr<jit::Jit>>& jits);
// The layouts and shapes that the comma-separated globs name ("all": all). Every one must match.
[[nodiscard]] Result<BenchResults> select(const BenchResults& results, const std::string& layouts,
                                          const std::string& shapes);
[[nodiscard]] MeasuredLayout measured_layout(const jit::JitInfo& info);

}  // namespace plumb::reports
