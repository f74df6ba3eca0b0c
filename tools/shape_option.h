// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "gen/generate.h"

namespace plumb::tools {

// The shape that --shape names; null for no name.
[[nodiscard]] Result<const gen::Shape*> shape_named(const std::string& name);

// An error where `who`, with these capabilities, cannot have cases of the shape.
[[nodiscard]] Result<void> check_shape(const gen::Shape* shape, std::uint64_t capabilities,
                                       std::string_view who);

}  // namespace plumb::tools
