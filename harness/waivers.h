// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/finding.h"

namespace plumb::harness {

// Does the waiver cover findings of this signature on this JIT? The signature must be equal; the
// JIT's name matches a glob (*, ?, [...]).
[[nodiscard]] bool covers(const Waiver& waiver, const Signature& signature, std::string_view jit);

// Does the waiver speak of this JIT at all?
[[nodiscard]] bool names_jit(const Waiver& waiver, std::string_view jit);

// A waiver and the case file that it comes from: what "known" in a report names.
struct NamedWaiver {
  std::string name;  // file name without directory and ending
  Waiver waiver;
};

// The first that covers the finding, or null.
//
// The limit: a case has one signature, that of the violation that ranks first, and a waiver for it
// covers the case with whatever else it breaks. Another bug that shows only in such cases stays
// hidden. Nothing that a run records tells a consequence from a second bug: a violation's event is
// where it was noticed, and a register that is not saved gives wrong data, and with it wrong calls,
// long before the way out where its loss is noticed. Taking the rest for news would make a false
// alarm of every consequence. So waivers stay narrow, and other cases have to show the other bug.
[[nodiscard]] const NamedWaiver* find_waiver(std::span<const NamedWaiver> waivers,
                                             const Signature& signature, std::string_view jit);

}  // namespace plumb::harness
