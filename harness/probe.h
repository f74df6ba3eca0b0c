// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/finding.h"
#include "harness/doctor.h"
#include "harness/waivers.h"
#include "jit_under_test/jit.h"

// Whether what a JIT says about itself holds against what it does, asked when it is added: a
// contract that was read from a tree's text may be wrong without a word.
namespace plumb::harness {

// The same number of the same cases for every JIT.
inline constexpr std::uint64_t kProbeCases = 300;

struct Probe {
  Diagnosis diagnosis;                // of the doctor's tiny cases
  std::uint64_t compared = 0;         // generated cases
  std::vector<Finding> findings;      // of these, that no waiver covers
  std::vector<std::string> failures;  // where we are wrong ourselves, or the plugin is

  // Something was judged, and nothing is wrong.
  [[nodiscard]] bool holds() const;

  // What is wrong, a line each; none when it holds. A word of the contract that would explain it is
  // named: that word is wrong, or the JIT is.
  [[nodiscard]] std::vector<std::string> complaints() const;
};

// In child processes, as the doctor and fuzzing do, so many at a time.
[[nodiscard]] Probe probe(const std::unique_ptr<jit::Jit>& jit,
                          std::span<const NamedWaiver> waivers, unsigned jobs = 1);

}  // namespace plumb::harness
