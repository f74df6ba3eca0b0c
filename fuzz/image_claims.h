// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plugin's claims about its image: a truthful description, into which the input puts lies.
// read_image() and read_frame_claims() have to refuse it, or make an image in which everything lies
// where it may lie.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/guest.h"
#include "core/result.h"
#include "jit_under_test/claims_reader.h"
#include "jit_under_test/image_reader.h"

namespace plumb::fuzz {

inline constexpr Range kClaimedArena{0x4000'0000, 0x10'0000};

// What a plugin hands over, and the memory that it points into. Copies point into the original.
struct Claims {
  std::vector<plumb_native_function> functions;
  std::vector<std::vector<std::uint32_t>> offsets;  // of each function
  std::vector<plumb_range> code;
  std::vector<plumb_range> arrays;
  std::vector<plumb_symbol> symbols;
  std::vector<plumb_native_program> programs;
  std::vector<plumb_unwind_row> rows;
  std::vector<plumb_range> fp_ranges;
  std::uint32_t function_stride = sizeof(plumb_native_function);
  std::uint32_t symbol_stride = sizeof(plumb_symbol);
  std::uint32_t row_stride = sizeof(plumb_unwind_row);
  // The descriptions as they lie in the plugin's memory, one a stride.
  std::vector<std::uint64_t> function_bytes;
  std::vector<std::uint64_t> symbol_bytes;
  std::vector<std::uint64_t> row_bytes;
  std::vector<std::uint64_t> code_bytes;     // only where the stride was changed
  std::vector<std::uint64_t> program_bytes;  // the same
  plumb_image image{};
  plumb_claims about_frames{};
};

[[nodiscard]] Claims truthful(const Case& value);

// Makes image and about_frames of all the rest. Pointers and counts may be changed afterwards.
void hand_over(Claims& claims);

// Both of them, as of a plugin with PLUMB_GIVES_UNWIND_ROWS.
[[nodiscard]] Result<Image> read_all(const Claims& claims, const Case& value,
                                     const jit::JitInfo& info);

// Reads claims made from the bytes. Ends the process on what must not pass.
enum class Taken : std::uint8_t { kYes, kNo };
[[nodiscard]] Taken read_claims(std::span<const std::uint8_t> bytes);

// Everything lies in the arena, behind the stubs, and functions do not overlap; ends the process
// where not.
void check_image(const Image& image, const Case& value);

}  // namespace plumb::fuzz
