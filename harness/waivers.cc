// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/waivers.h"

#include <fnmatch.h>

#include <algorithm>

namespace plumb::harness {

bool names_jit(const Waiver& waiver, std::string_view jit) {
  const auto matches = [&](std::string_view name) {
    return fnmatch(waiver.jits.c_str(), std::string(name).c_str(), 0) == 0;
  };
  // A layout of the reference JIT keeps what is known of it when it is given a defect.
  return matches(jit) || (jit.starts_with("reference:") && matches(jit.substr(0, jit.find('+'))));
}

bool covers(const Waiver& waiver, const Signature& signature, std::string_view jit) {
  const std::string name = signature.str();
  const bool fits = waiver.code.empty() ? waiver.signature == name
                                        : fnmatch(waiver.signature.c_str(), name.c_str(), 0) == 0;
  return fits && names_jit(waiver, jit);
}

const NamedWaiver* find_waiver(std::span<const NamedWaiver> waivers, const Signature& signature,
                               std::string_view jit) {
  const auto it = std::ranges::find_if(
      waivers, [&](const NamedWaiver& named) { return covers(named.waiver, signature, jit); });
  return it == waivers.end() ? nullptr : &*it;
}

}  // namespace plumb::harness
