// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "core/case.h"

namespace plumb::oracle {

// What a program needs whose instructions need that (core/capability.h).
[[nodiscard]] std::uint64_t needed_by(const Program& program, std::uint64_t instructions);

// Only a tail call uses a prog array: a JIT that has none knows no such object.
[[nodiscard]] std::uint64_t needed_by_arrays(const Case& value);

// What the case needs from a JIT. A program of several functions needs kCallSubprograms even when
// nothing calls them, for the JIT has to lay them out. Execution::required_capabilities is the
// same, without another look at the code.
[[nodiscard]] std::uint64_t required_capabilities(const Case& value);

// What a JIT with those capabilities lacks for the case.
struct Lack {
  std::string phrase;  // without numbers, for statistics: "the JIT lacks atomics, v4"
  std::string detail;  // where each is needed first: "atomics for entry.main at slot 3, ..."
};

// Of a case that needs something that is not among `has`.
[[nodiscard]] Lack lacking(const Case& value, std::uint64_t has);

}  // namespace plumb::oracle
