// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/image.h"
#include "core/result.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// Copies what a plugin's claims() said about an image that was read into it, checked by the rules
// that plugin.h states ("What a JIT claims about its frames"). An error names the entry, the value
// and what it should be; the image is of no use then.
[[nodiscard]] Result<void> read_frame_claims(const plumb_claims& from, Image& image);

}  // namespace plumb::jit
