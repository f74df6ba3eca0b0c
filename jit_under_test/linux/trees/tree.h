// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "core/result.h"

namespace plumb::jit::trees {

// "6.12.117" or "6.13.0-rc2": what the Makefile of a kernel tree says. An error when the directory
// is no kernel tree, or one without BPF.
[[nodiscard]] Result<std::string> tree_version(const std::filesystem::path& tree);

// What the JITs of such a tree are called when nobody says otherwise.
[[nodiscard]] std::string default_tree_name(const std::string& version);

// True for a name that ends like an archive that tar reads.
[[nodiscard]] bool is_archive_name(const std::filesystem::path& file);

}  // namespace plumb::jit::trees
