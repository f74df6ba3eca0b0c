// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb::fuzz {

// What the JITs of the target can do together (core/capability.h): the mutators make no case that
// needs more. libFuzzer's hooks take no argument that could tell them.
void set_capabilities(std::uint64_t capabilities);

}  // namespace plumb::fuzz
