// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace plumb::jit {

// A text that a plugin made, of at most 512 bytes: one printable line (core/printable.h).
inline constexpr std::size_t kMostPluginText = 512;
// Up to the first zero, if there is one.
[[nodiscard]] std::string plugin_text(std::span<const char> text);
[[nodiscard]] std::string plugin_text(const char* text);

}  // namespace plumb::jit
