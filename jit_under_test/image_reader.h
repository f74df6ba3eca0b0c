// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/case.h"
#include "core/image.h"
#include "core/result.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// Copies what a plugin said about its image, checked by the rules that plugin.h states ("An image:
// what came out"). An error names the entry, the value and what it should be.
[[nodiscard]] Result<Image> read_image(const plumb_image& from, const Case& value,
                                       const JitInfo& info, Range arena);

}  // namespace plumb::jit
