// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/case.h"
#include "core/image.h"
#include "core/result.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// Copies what a plugin said about its image, checked: every function of the case is there once, its
// code lies in the arena, instruction offsets increase and stay inside. Fails on a plugin that
// lies.
[[nodiscard]] Result<Image> read_image(const plumb_image& from, const Case& value,
                                       const JitInfo& info, Range arena);

}  // namespace plumb::jit
