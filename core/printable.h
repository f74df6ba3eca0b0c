// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace plumb {

// A text that somebody else made (a plugin, a tool), fit for a terminal and a log: one line of
// UTF-8. Control characters, those that turn the direction of writing, and bytes that are no UTF-8
// become \n, \t, \x1b or \u202e; beyond `most` bytes it is cut, and ends in "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = 512);

}  // namespace plumb
