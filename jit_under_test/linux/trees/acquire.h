// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "jit_under_test/linux/trees/build.h"

namespace plumb::jit::trees {

// The architectures that a kernel tree may have a JIT for.
[[nodiscard]] std::vector<std::string> all_archs();

// The last part of a path, with what would need quoting replaced.
[[nodiscard]] std::string plain_name(const std::filesystem::path& path);

// Makes request.tree the kernel tree that `from` is, a directory or an archive. What takes long is
// told to progress. The tree's version.
[[nodiscard]] Result<std::string> acquire_tree(
    const BuildTools& tools, const BuildRequest& request, const std::filesystem::path& from,
    const std::function<void(const std::string& line)>& progress);

// Moves what was built to scratch/NAME, interpreters and tests to directories of their own there.
// The number of JITs.
[[nodiscard]] Result<std::size_t> collect(const BuildRequest& request,
                                          const std::vector<BuiltJit>& jits);

}  // namespace plumb::jit::trees
