// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "gen/choices.h"

// What a plugin that is wrong about itself says, chosen by the input of a fuzz target.
namespace plumb::fuzz {

// Numbers near what the reader compares with.
[[nodiscard]] std::uint64_t odd_number(gen::ChoiceStream& choices);
// Bytes of a struct, or from one element to the next. size: what is right.
[[nodiscard]] std::uint32_t odd_stride(gen::ChoiceStream& choices, std::uint32_t size);
[[nodiscard]] std::uint32_t huge_count(gen::ChoiceStream& choices);

}  // namespace plumb::fuzz
