// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/case.h"
#include "core/image.h"
#include "core/result.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// The path of throws of a program with an exception callback, where the plugin says nothing: the
// callback is called at its function's address, function 0 is the boundary.
[[nodiscard]] ThrowPath usual_throw_path(const Case& value, int program, const Image& image);

// What a plugin's throw_info() said about it, checked: the program is the one that was asked for,
// the boundary is another of its functions, the callback's address the entry of its callback. An
// error names the field, the value and what it should be.
[[nodiscard]] Result<ThrowPath> read_throw_path(const plumb_throw_info& info, const Case& value,
                                                int program, const Image& image);

}  // namespace plumb::jit
