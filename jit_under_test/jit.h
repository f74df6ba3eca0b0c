// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "core/result.h"

namespace plumb::jit {

struct JitInfo {
  std::string name;     // "linux-6.12-x86_64"
  std::string family;   // "linux"
  std::string version;  // "6.12.117"
  std::string origin;
  Arch arch = Arch::kX86_64;
  std::uint64_t capabilities = 0;  // or of enum plumb_capability
  Contract contract;
  RegisterMap registers;
  FrameRule frame;
  LandingRule landing;
  CodeRule code_rule;
  bool counts_memory = false;  // unload() says what is kept
  std::string notice;  // one line for people who list JITs, or empty: built for an older ABI

  bool operator==(const JitInfo&) const = default;
};

struct Unloaded {
  // Pieces of memory that were not there before the image was loaded; 0 also where the JIT does not
  // say.
  std::uint64_t kept = 0;
};

// An image that stays loaded as long as this object lives. One per Jit at a time.
class LoadedImage {
 public:
  virtual ~LoadedImage() = default;
  [[nodiscard]] virtual const Image& image() const = 0;
  // Unloads it now instead of at the end of its life; image() is of no use any more. An error: the
  // JIT died of that, in a process of its own.
  [[nodiscard]] virtual Result<Unloaded> unload() { return Unloaded{}; }
};

struct LoadOutcome {
  enum class Status : std::uint8_t {
    kLoaded,
    kNotApplicable,
    kRefused,
    kBroken,  // what holds the JIT failed, or describes the image wrongly
    kDied     // the process that holds the JIT ended, or was ended since it did not answer
  };
  Status status = Status::kBroken;
  std::string reason;                  // not loaded: one line
  std::unique_ptr<LoadedImage> image;  // kLoaded
};

class Jit {
 public:
  virtual ~Jit() = default;
  [[nodiscard]] virtual const JitInfo& info() const = 0;
  [[nodiscard]] virtual LoadOutcome load(const Case& value) = 0;
};

// A JIT that could be there: what "plumb jits" lists.
struct JitEntry {
  std::string name;
  bool available = false;
  std::string reason;  // why not available
  std::string path;    // plugin file; empty: built in
};

// Which plugins are opened in processes of their own (isolated/isolated_jit.h), so that whatever
// they do happens to nobody else.
enum class Isolation : std::uint8_t {
  kStrangers,  // those that are not ours (isolated/strangers.h)
  kAll,
  kNone
};

// Plugins are the files <name>.so of one or more directories, separated by ':'. Of two with the
// same name the one in the earlier directory counts; the other is listed as not available.
// find_jits() does not open them, so every other one is said to be available.
[[nodiscard]] std::vector<JitEntry> find_jits(const std::string& plugin_directories);
[[nodiscard]] std::vector<JitEntry> list_jits(const std::string& plugin_directories,
                                              Isolation isolation = Isolation::kStrangers);

// The layouts of the reference JIT (reference/reference.h), all available.
[[nodiscard]] std::vector<JitEntry> built_in_jits();

[[nodiscard]] Result<std::unique_ptr<Jit>> open_jit(const JitEntry& entry,
                                                    Isolation isolation = Isolation::kStrangers);

// In this process. The plugin gets the arena that it wants, or, when something else is there, the
// first free of the places that all plugins share: multiples of 16 MiB, in a fixed order. Whatever
// the place, a JIT loads such an address with as many instructions. A plugin can be opened once at
// a time.
[[nodiscard]] Result<std::unique_ptr<Jit>> open_plugin(const std::string& path);

struct OpenedJits {
  std::vector<std::unique_ptr<Jit>> jits;
  std::vector<JitEntry> not_available;  // that were named, too
};

// Names or globs, comma-separated, or "all". Every name must match something. A layout with a
// seeded defect, "reference:<layout>+<defect>", is in no list and has to be named.
[[nodiscard]] Result<OpenedJits> open_available_jits(const std::string& plugin_directories,
                                                     const std::string& names,
                                                     Isolation isolation = Isolation::kStrangers);
// The same where all of them have to be available.
[[nodiscard]] Result<std::vector<std::unique_ptr<Jit>>> open_jits(
    const std::string& plugin_directories, const std::string& names,
    Isolation isolation = Isolation::kStrangers);

}  // namespace plumb::jit
