// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/invariants.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <string_view>

#include "invariants/checkers.h"
#include "invariants/view.h"

namespace plumb::invariants {
namespace {

using Checker = std::optional<Violation> (*)(const View&);

constexpr std::array kTable{
#define PLUMB_INVARIANT(function, name, group, needs, follows_data, sentence) \
  InvariantInfo{name, group, sentence, Depth::k##needs},
#include "invariants/invariants.inc"
};

constexpr std::array<Checker, kTable.size()> kCheckers{
#define PLUMB_INVARIANT(function, name, group, needs, follows_data, sentence) check_##function,
#include "invariants/invariants.inc"
};

constexpr std::array kFollowsData{
#define PLUMB_INVARIANT(function, name, group, needs, follows_data, sentence) follows_data,
#include "invariants/invariants.inc"
};

bool follows_data(std::string_view invariant) {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].name == invariant) return kFollowsData[i];
  }
  return false;
}

// Moves same-events before what is only a consequence of the wrong data that it tells of.
void put_wrong_data_first(const Divergence& divergence, std::vector<Violation>& violations) {
  const bool is_data = divergence.what == Divergence::What::kArgument ||
                       divergence.what == Divergence::What::kResult;
  if (!is_data) return;
  const auto events = std::ranges::find(violations, "same-events", &Violation::invariant);
  const auto consequence = std::find_if(violations.begin(), events, [&](const Violation& v) {
    return v.event >= divergence.index && follows_data(v.invariant);
  });
  if (events != violations.end()) std::rotate(consequence, events, events + 1);
}

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
  put_wrong_data_first(view.divergence(), violations);
  return violations;
}

}  // namespace plumb::invariants
