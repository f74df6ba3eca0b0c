// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "core/case.h"
#include "core/event.h"

namespace plumb::oracle {

struct Defect {
  std::string reason;  // a phrase without numbers
  Place at;
};

// The structural rules of the kernel's verifier, over all code and not only over what runs: the
// last instruction of a function cannot fall through; call targets exist; no recursion; at most
// kMaxCallDepth frames; at most kMaxStackDepth bytes per call chain (each frame rounded up to 16,
// kernel 6.12 verifier.c); at most kMaxCallerDepthWithTailCall bytes above a function that holds a
// tail call; no tail call reachable from a callback.
[[nodiscard]] std::optional<Defect> validate(const Case& value);

// What the case needs from a JIT: or of enum plumb_capability (jit_under_test/plugin.h).
[[nodiscard]] std::uint64_t required_capabilities(const Case& value);

}  // namespace plumb::oracle
