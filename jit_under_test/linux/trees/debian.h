// SPDX-License-Identifier: GPL-2.0-or-later
// Fetches Debian's kernel sources with the system's apt, from the mirror that the system's apt is
// configured with, into directories of our own: lists, cache and sources are private, hooks of the
// system's configuration do not run, and nothing of the system is changed. apt checks the
// signatures of the lists with Debian's archive keys, and the package with the lists.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "jit_under_test/linux/trees/debian_packages.h"

namespace plumb::jit::trees {

// Absolute paths of programs.
struct DebianTools {
  std::string env, apt_get, apt_cache, apt_config, dpkg_deb;
  std::filesystem::path keyring;  // Debian's archive keys
};

// From PATH, and the keyring's package; an error names what is missing.
[[nodiscard]] Result<DebianTools> find_debian_tools();

struct DebianArchive {
  std::filesystem::path archive;  // .../linux-source-7.3.tar.xz
  std::string line;               // "7.3"
  std::string version;            // "7.3.4-1~bpo13+1"
};

// Finds and fetches the sources that are wanted; all that is written is below scratch. Needs
// InterruptsHeld (process.h). An error is one line: offline, no such kernel, a download cut short.
[[nodiscard]] Result<DebianArchive> fetch_debian(
    const DebianTools& tools, const WantedKernel& wanted, const std::filesystem::path& scratch,
    const std::function<void(const std::string& line)>& progress);

}  // namespace plumb::jit::trees
