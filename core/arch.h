// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace plumb {

enum class Arch : std::uint8_t { kX86_64 = 1, kArm64 = 2, kRiscv64 = 3 };  // as enum plumb_arch

[[nodiscard]] std::string_view arch_name(Arch arch);  // "x86_64", "arm64", "riscv64"
[[nodiscard]] std::optional<Arch> parse_arch(std::string_view name);
// Is it among these? Tables write x, a and r.
[[nodiscard]] bool has_arch(std::string_view letters, Arch arch);

}  // namespace plumb
