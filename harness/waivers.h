// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/finding.h"

namespace plumb::harness {

// Does the waiver cover findings of this signature on this JIT? The signature must be equal, or
// with code= match a glob (*, ?, [...]), as the JIT's name has to.
[[nodiscard]] bool covers(const Waiver& waiver, const Signature& signature, std::string_view jit);

// Does the waiver speak of this JIT at all?
[[nodiscard]] bool names_jit(const Waiver& waiver, std::string_view jit);

// A waiver and the case file that it comes from: what "known" in a report names.
struct NamedWaiver {
  std::string name;  // file name without directory and ending
  Waiver waiver;
};

// The first whose signature and JITs fit, or null. Whether the bug is really that one is for
// causes.h to say.
[[nodiscard]] const NamedWaiver* find_waiver(std::span<const NamedWaiver> waivers,
                                             const Signature& signature, std::string_view jit);

}  // namespace plumb::harness
