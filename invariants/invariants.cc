// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/invariants.h"

#include <array>
#include <cstddef>
#include <memory_resource>
#include <optional>

#include "invariants/checkers.h"
#include "invariants/view.h"

namespace plumb::invariants {
namespace {

using Checker = std::optional<Violation> (*)(const View&);

constexpr std::array kTable{
#define PLUMB_INVARIANT(function, name, group, needs, sentence) \
  InvariantInfo{name, group, sentence, Depth::k##needs},
#include "invariants/invariants.inc"
};

constexpr std::array<Checker, kTable.size()> kCheckers{
#define PLUMB_INVARIANT(function, name, group, needs, sentence) check_##function,
#include "invariants/invariants.inc"
};

}  // namespace

std::span<const InvariantInfo> invariant_table() { return kTable; }

std::vector<Violation> check(const Subject& subject) {
  // Annotations of an ordinary run fit here; larger ones go on to the heap.
  std::array<std::byte, 16384> buffer;
  std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size());
  const View view(subject, &memory);
  std::vector<Violation> violations;
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].needs > subject.depth) continue;
    if (auto violation = kCheckers[i](view)) violations.push_back(*std::move(violation));
  }
  return violations;
}

}  // namespace plumb::invariants
