// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "jit_under_test/plugin_jit.h"

namespace plumb::jit {

struct HostTask {
  std::string path;          // of the plugin
  ArenaPlace arena;          // its memory is a file that is shared with who asks
  std::uint64_t memory = 0;  // bytes of address space beyond what there is
};

// In a process of its own (host_process.h): opens the plugin, loads and unloads as it is asked on
// the socket. Of what the process had it keeps nothing that others see: no descriptor, no writable
// memory that is shared with anybody, no output. Returns when nobody asks any more. Whatever the
// plugin does otherwise ends the process, an exception too.
void hold_plugin(const HostTask& task, int socket) noexcept;

}  // namespace plumb::jit
