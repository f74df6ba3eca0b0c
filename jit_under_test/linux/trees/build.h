// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "jit_under_test/linux/trees/process.h"

namespace plumb::jit::trees {

// Which variants of the JITs are built (shim/ARCH/variants.txt): those that change frames, all,
// none, or these by name.
struct Variants {
  enum class Which : std::uint8_t { kFrames, kAll, kNone, kNamed };
  Which which = Which::kFrames;
  std::vector<std::string> names;  // kNamed
};

// "frames", "all", "none", or names between commas. An error names the variants that there are for
// these architectures.
[[nodiscard]] Result<Variants> parse_variants(std::string_view text,
                                              const std::filesystem::path& source,
                                              const std::vector<std::string>& archs);

// What building the JITs of a tree needs. All paths are absolute.
struct BuildRequest {
  std::filesystem::path source;   // the checkout of Plumbline
  std::filesystem::path tree;     // a kernel tree
  std::filesystem::path scratch;  // a directory to work in
  std::filesystem::path log;      // what the tools print is appended here
  std::string name;
  std::string origin;              // for people: letters, digits, ' ', '.', '_', '+' and '-'
  std::vector<std::string> archs;  // "x86_64", ...
  Variants variants;
  InChild in_child;  // starts what was built, once
};

// One architecture, or one variant of its JIT: built when plugin is set, else reason says why not.
// Or, in the last rows, what serves all of them: the tree's interpreter, which gives second
// opinions, and the tree's tests.
struct BuiltJit {
  enum class Kind : std::uint8_t { kJit, kInterpreter, kTests };
  Kind kind = Kind::kJit;
  std::string arch;     // or "interpreter", "tests"
  std::string variant;  // "ibt"; empty: the JIT itself
  std::string name;     // "linux-NAME-ARCH", "linux-NAME-ARCH:VARIANT"
  std::filesystem::path plugin;
  std::vector<std::string> has, lacks;  // signatures that the tree has and has not
  std::string reason;
  std::string remedy;   // what to add to the shim, where that can be said
  bool failed = false;  // there was something to build and that did not work
  double seconds = 0;
};

// Where a plugin lies below a directory of plugins: "", "interpreters", "tests".
[[nodiscard]] std::string_view directory_of(BuiltJit::Kind kind);

struct BuildTools {
  std::string cmake, make, generator, tar;
  std::string compiler;  // empty: what $CC says
};

// The programs that a build takes, from PATH; an error names those that are missing.
[[nodiscard]] Result<BuildTools> find_build_tools();

// Takes out of the archive what a JIT needs and puts it below destination.
[[nodiscard]] Result<std::filesystem::path> extract_tree(const BuildTools& tools,
                                                         const BuildRequest& request,
                                                         const std::filesystem::path& archive);

// Builds the plugins, one architecture after the other, and starts each once. An error when the
// build could not even be set up; else a row per architecture.
[[nodiscard]] Result<std::vector<BuiltJit>> build_jits(const BuildTools& tools,
                                                       const BuildRequest& request);

}  // namespace plumb::jit::trees
