// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb::harness {

// What is being done right now. A worker keeps it in memory that its parent shares, so that the
// parent can tell whose fault a death was.
enum class Activity : std::uint8_t {
  kIdle,
  kGenerating,
  kInterpreting,  // the oracle
  kCompiling,     // the JIT
  kRunning,       // native code in the emulator
  kChecking,
  kAsking,     // the second interpreter
  kUnloading,  // the JIT again; everything was compared before
};

}  // namespace plumb::harness
