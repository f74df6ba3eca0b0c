// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/mutate.h"

#include <array>
#include <utility>

#include "core/check.h"
#include "core/exceptions.h"
#include "gen/mutation.h"

namespace plumb::gen {
namespace {

#define PLUMB_CAPABILITY(id, bit, name, meaning) \
  [[maybe_unused]] constexpr std::uint64_t id = capability_bit(Capability::k##id);
#include "core/capabilities.inc"

constexpr MutationKind kMutations[] = {
#define PLUMB_MUTATION(id, name, weight, needs, description) {name, description, weight, needs},
#include "gen/mutations.inc"
};

constexpr std::array kWeights{
#define PLUMB_MUTATION(id, name, weight, needs, description) weight,
#include "gen/mutations.inc"
};

constexpr std::array kFunctions{
#define PLUMB_MUTATION(id, name, weight, needs, description) mutate_##id,
#include "gen/mutations.inc"
};

void drop_what_spoke_of_it(Case& value) {
  value.notes.clear();
  value.waivers.clear();
  value.expectation = {};
}

std::size_t draw_kind(ChoiceStream& choices, std::uint64_t capabilities) {
  for (;;) {
    const std::size_t row = choices.weighted(kWeights);
    if ((kMutations[row].needs & ~capabilities) == 0) return row;
  }
}

}  // namespace

std::span<const MutationKind> mutations() { return kMutations; }

std::optional<Case> mutate(const Case& value, ChoiceStream& choices, const CaseCheck& accept,
                           const MutateOptions& options) {
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    const std::size_t row = options.kind != nullptr
                                ? static_cast<std::size_t>(options.kind - kMutations)
                                : draw_kind(choices, options.capabilities);
    PLUMB_CHECK(row < std::size(kMutations));
    Case changed = value;
    drop_what_spoke_of_it(changed);
    drop_default_callbacks(changed);
    Mutation mutation{.value = changed, .choices = choices, .capabilities = options.capabilities};
    if (kFunctions[row](mutation) && complete_callbacks(changed) && changed != value &&
        count_slots(changed) <= kMaxSlots && accept(changed))
      return changed;
  }
  return std::nullopt;
}

}  // namespace plumb::gen
