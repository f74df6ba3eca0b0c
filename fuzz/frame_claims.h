// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "core/image.h"
#include "fuzz/image_claims.h"
#include "gen/choices.h"

// The part of a plugin's claims that is for unwinders.
namespace plumb::fuzz {

// Rows and a range of one function that keeps a frame pointer, in few bytes: 8 or more.
void claim_frame(Claims& claims, std::uint64_t address, std::uint32_t size);
// The row that says where the last function ends.
void claim_end(Claims& claims, std::uint64_t address);

// Before they are handed over.
void lie_about_frames(gen::ChoiceStream& choices, Claims& claims);

// Rows that were taken ascend, lie in the arena and end; ends the process where not.
void check_rows(const Image& image);

}  // namespace plumb::fuzz
