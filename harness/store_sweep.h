// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is every stray store found? Puts one more store into the run of a conforming image: any slot of
// the stack, before any instruction outside prologues. A store to a slot that is live has to be a
// finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/case.h"
#include "jit_under_test/jit.h"
#include "machine/machine.h"

namespace plumb::harness {

struct SweepOptions {
  std::size_t site_stride = 1;  // every n-th site
  std::size_t slot_stride = 1;  // every n-th slot, another first one at each site
};

struct SweepCounts {
  std::size_t cases = 0;   // that the JIT conforms in
  std::size_t broken = 0;  // that it does not conform in even so
  std::size_t sites = 0;
  std::size_t slots = 0;     // of all sites
  std::size_t injected = 0;  // stores that change something
  std::size_t live = 0;      // of those
  std::size_t live_found = 0;
  std::size_t dead_found = 0;
  std::vector<std::string> missed{};  // the first few live ones, for people

  SweepCounts& operator+=(const SweepCounts& other);
};

// Counts nothing where the JIT lacks what the case needs.
[[nodiscard]] SweepCounts sweep_stores(const Case& value, jit::Jit& jit, machine::Machine& machine,
                                       const SweepOptions& options);

}  // namespace plumb::harness
