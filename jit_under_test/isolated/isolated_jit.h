// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "jit_under_test/jit.h"

namespace plumb::jit {

struct HostLimits {
  double seconds_to_open = 10.0;
  // Less than judging a case may take, so that the JIT's process is ended and not the judge's.
  double seconds_to_load = 8.0;  // or to unload
  // Bytes of address space beyond what the process has when it starts; the arena is one part of it.
  std::uint64_t memory = std::uint64_t{1} << 30;
};

// A plugin that is opened, loads and unloads in a process of its own: constructors,
// plumb_plugin_entry(), open(), load(), unload(). Its arena is memory that both processes have, at
// the same address. Each process that judges has a process and an arena of its own, begun when it
// is first needed.
//
// A plugin's process that ends or does not answer is LoadOutcome::Status::kDied, and the next load
// has a new one. One that dies of SIGKILL, which may have come from anybody, is tried once more;
// where the system killed processes for want of memory meanwhile it is kBroken.
[[nodiscard]] Result<std::unique_ptr<Jit>> open_isolated(const std::string& path,
                                                         const HostLimits& limits = {});

}  // namespace plumb::jit
