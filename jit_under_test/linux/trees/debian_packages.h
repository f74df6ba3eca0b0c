// SPDX-License-Identifier: GPL-2.0-or-later
// Debian's packages of kernel sources, linux-source-X.Y: what apt's tools say of them, as values.
// Nothing here runs a program.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace plumb::jit::trees {

// Where the system's apt takes Debian from, as URIs; security is empty where apt has no such line.
struct DebianMirrors {
  std::string archive, security;
  bool operator==(const DebianMirrors&) const = default;
};

// What apt-get indextargets has to print for find_mirrors(): --format with this text.
inline constexpr std::string_view kIndexTargetFormat =
    "plumb $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)";

// The mirrors in such lines. A line is Debian's when its origin says so, or, where apt has not
// fetched its lists and knows no origin, when its suite is one of Debian's. Lines that are not of
// that format are passed over. Nothing when no line is Debian's.
[[nodiscard]] std::optional<DebianMirrors> find_mirrors(std::string_view lines);

// Groups of suites to look in, the first group first: it has the newest kernels, and a list of
// packages is 10 MB.
inline constexpr std::size_t kSuiteGroups = 2;

// A sources.list of that group of suites; keyring is the file that their signatures are checked
// with.
[[nodiscard]] std::string sources_list(const DebianMirrors& mirrors, std::size_t group,
                                       std::string_view keyring);

// What the user asks for: "newest", "7.3", "7.3.4" or a package's whole version, "7.3.4-1~bpo13+1".
struct WantedKernel {
  std::string line;     // "7.3"; empty: the newest
  std::string version;  // "7.3.4" or more; empty: the newest of the line
  bool operator==(const WantedKernel&) const = default;
};

[[nodiscard]] Result<WantedKernel> parse_wanted(std::string_view text);

// The name of the package that is wanted, among names as apt-cache pkgnames prints them; nothing
// when it is not there.
[[nodiscard]] std::optional<std::string> choose_package(std::string_view names,
                                                        const WantedKernel& wanted);

// The lines "7.3", "6.12" of all linux-source packages in the names, the newest first.
[[nodiscard]] std::vector<std::string> kernel_lines(std::string_view names);

// The version that is wanted in what apt-cache madison prints of one package, highest first.
[[nodiscard]] std::optional<std::string> choose_version(std::string_view madison,
                                                        const WantedKernel& wanted);

}  // namespace plumb::jit::trees
