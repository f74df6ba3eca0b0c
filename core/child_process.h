// SPDX-License-Identifier: GPL-2.0-or-later
//
// What our child processes have in common: those that judge (harness/isolate.h), and those that
// hold a plugin (jit_under_test/isolated/). To be called in the child.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace plumb {

// Ends with its parent, has a process group of its own, and goes on when a terminal or timeout(1)
// asks the whole group to stop. Handlers that the parent registered for exit() do not run.
void become_child_of(pid_t parent);

// The descriptor reads nothing and writes nowhere from now on.
void silence(int descriptor);

// The process gets no more address space than so many bytes beyond what it has, and leaves no core
// file. A limit relative to what is there holds under sanitizers too, which reserve terabytes.
// Without /proc there is none.
void limit_memory(std::uint64_t bytes);

}  // namespace plumb
