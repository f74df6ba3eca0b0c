// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/mutate.h"

#include <array>
#include <utility>

#include "core/check.h"
#include "gen/mutation.h"

namespace plumb::gen {
namespace {

constexpr MutationKind kMutations[] = {
#define PLUMB_MUTATION(id, name, weight, description) {name, description, weight},
#include "gen/mutations.inc"
};

constexpr std::array kWeights{
#define PLUMB_MUTATION(id, name, weight, description) weight,
#include "gen/mutations.inc"
};

constexpr std::array kFunctions{
#define PLUMB_MUTATION(id, name, weight, description) mutate_##id,
#include "gen/mutations.inc"
};

void drop_what_spoke_of_it(Case& value) {
  value.notes.clear();
  value.waivers.clear();
  value.expectation = {};
}

}  // namespace

std::span<const MutationKind> mutations() { return kMutations; }

std::optional<Case> mutate(const Case& value, ChoiceStream& choices, const CaseCheck& accept,
                           const MutateOptions& options) {
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    const std::size_t row = options.kind != nullptr
                                ? static_cast<std::size_t>(options.kind - kMutations)
                                : choices.weighted(kWeights);
    PLUMB_CHECK(row < std::size(kMutations));
    Case changed = value;
    drop_what_spoke_of_it(changed);
    Mutation mutation{.value = changed, .choices = choices};
    if (kFunctions[row](mutation) && changed != value && accept(changed)) return changed;
  }
  return std::nullopt;
}

}  // namespace plumb::gen
