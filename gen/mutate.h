// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "core/capability.h"
#include "core/case.h"
#include "gen/choices.h"

namespace plumb::gen {

// One row of mutations.inc.
struct MutationKind {
  std::string_view name;
  std::string_view description;
  int weight = 0;
  std::uint64_t needs = 0;  // or of core/capability.h: else there is never a place for it
};

[[nodiscard]] std::span<const MutationKind> mutations();

// Whether a changed case may be kept: oracle/validate.h knows, which this layer does not. Changes
// keep jumps, references and registers right by themselves; what the check is needed for are the
// limits of whole call chains.
using CaseCheck = std::function<bool(const Case&)>;

struct MutateOptions {
  const MutationKind* kind = nullptr;  // null: drawn by weight
  int attempts = 8;                    // changes that are tried until the check accepts one
  // Of the JIT. Kinds of changes and of instructions that need more are not drawn; whether the
  // whole case needs more is the check's to say.
  std::uint64_t capabilities = kAllCapabilities;
};

// A case that differs by one structural change and that the check accepts, or nothing when no
// attempt gave one. value must be valid. Notes, expectation and waivers, which speak of the old
// case, are dropped. Of each kind, at least nine in ten changes of a defined case are defined
// (mutate_test.cc demands it); the fuzzer draws again where one is not.
[[nodiscard]] std::optional<Case> mutate(const Case& value, ChoiceStream& choices,
                                         const CaseCheck& accept,
                                         const MutateOptions& options = {});

struct CrossOptions {
  int attempts = 8;
  std::uint64_t capabilities = kAllCapabilities;  // as in MutateOptions
};

// A case made of both: programs of second join first and are reached by a tail call from it, or a
// subprogram of second is called by a function of first. Where the JIT has neither, code of second
// becomes part of a function of first.
[[nodiscard]] std::optional<Case> cross(const Case& first, const Case& second,
                                        ChoiceStream& choices, const CaseCheck& accept,
                                        const CrossOptions& options = {});

}  // namespace plumb::gen
