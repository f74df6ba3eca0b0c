// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "core/case.h"
#include "core/image.h"
#include "invariants/testing_layout.h"

namespace plumb::invariants {

// The case that testing_run.h draws, and its image.
inline constexpr std::uint64_t kBuiltArena = 0x4000'0000;
inline constexpr std::uint64_t kBuiltCode = kBuiltArena + 0x10000;
inline constexpr std::uint32_t kBuiltPrologue = 0x20;  // bytes
inline constexpr std::uint32_t kBuiltInsn = 0x10;      // bytes for each instruction
inline constexpr std::int32_t kStoredValue = 0x55;     // by every store

[[nodiscard]] Case built_case();
[[nodiscard]] Image built_image(const Case& value, const BuiltLayout& layout);

}  // namespace plumb::invariants
