// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace plumb::jit {

// Does the file of a plugin or an interpreter bear our mark (plugin_mark.h)? It is looked for, not
// run; a file that cannot be read has none. A mark can be copied: it says who is careful, not who
// is honest.
[[nodiscard]] bool is_ours(const std::string& path);

}  // namespace plumb::jit
