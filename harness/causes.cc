// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/causes.h"

#include <algorithm>
#include <vector>

#include "core/check.h"

namespace plumb::harness {
namespace {

// Moves one violation to the front; the others keep their order, and all links what they name.
void move_to_front(std::size_t lead, std::vector<Violation>& violations) {
  std::rotate(violations.begin(), violations.begin() + static_cast<std::ptrdiff_t>(lead),
              violations.begin() + static_cast<std::ptrdiff_t>(lead) + 1);
  const auto moved = static_cast<std::int32_t>(lead);
  for (Violation& violation : violations) {
    if (violation.follows == moved) {
      violation.follows = 0;
    } else if (violation.follows >= 0 && violation.follows < moved) {
      ++violation.follows;
    }
  }
}

}  // namespace

std::string alone_with_bug(const Waiver& waiver, std::string_view jit) {
  const std::size_t plus = jit.find('+');
  if (jit.starts_with("reference:") && plus != std::string_view::npos) {
    return std::string(jit.substr(0, plus));
  }
  return waiver.like == jit ? std::string() : waiver.like;
}

Signature violation_signature(const jit::JitInfo& jit, const Violation& violation) {
  return {.invariant = std::string(violation.invariant),
          .family = jit.family,
          .arch = std::string(arch_name(jit.arch)),
          .role = violation.role};
}

void name_cause(const jit::JitInfo& jit, std::span<const NamedWaiver> waivers,
                const Confirm& confirm, Judgement& judgement) {
  std::vector<Violation>& violations = judgement.violations;
  PLUMB_CHECK(!violations.empty());
  std::vector<bool> explained(violations.size(), false);
  const NamedWaiver* first_waiver = nullptr;
  for (std::size_t i = 0; i < violations.size(); ++i) {
    Violation& violation = violations[i];
    if (violation.follows >= 0 && explained[static_cast<std::size_t>(violation.follows)]) {
      explained[i] = true;
      continue;
    }
    const Signature signature = violation_signature(jit, violation);
    const auto fits = [&](const NamedWaiver& w) { return covers(w.waiver, signature, jit.name); };
    const auto waiver = std::ranges::find_if(waivers, [&](const NamedWaiver& named) {
      return fits(named) && confirm(named.waiver, violation);
    });
    explained[i] = waiver != waivers.end();
    if (explained[i]) {
      if (first_waiver == nullptr) first_waiver = &*waiver;
    } else if (std::ranges::any_of(waivers, fits)) {
      violation.role += kNotAsKnown;
    }
  }
  const auto news = std::ranges::find(explained, false);
  if (news == explained.end()) {
    judgement.known = first_waiver->name;
  } else {
    move_to_front(static_cast<std::size_t>(news - explained.begin()), violations);
  }
  judgement.signature = violation_signature(jit, violations.front());
}

}  // namespace plumb::harness
