// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/case.h"

namespace plumb::jit::reference {

// What is known at a tail call about its array and its key.
struct TailCallSite {
  int slot = 0;
  bool known = false;
  std::size_t array = 0;
  std::uint64_t key = 0;
};

// What a verifier finds out about a function and the frame depends on.
struct FunctionFacts {
  bool is_main = false;
  bool is_boundary = false;            // the main function of a program that throws
  bool is_exception_callback = false;  // runs in the boundary's frame
  bool has_tail_call = false;
  bool tail_call_reachable = false;  // it, or something that it calls, contains a tail call
  bool calls = false;                // anything but tail calls
  std::uint32_t used = 0;            // bit r: Rr is named
  int stack_depth = 0;
  std::vector<TailCallSite> tail_calls;
};

// One per function of the program. Its code is valid (oracle/validate.h).
[[nodiscard]] std::vector<FunctionFacts> analyse(const Program& program);

}  // namespace plumb::jit::reference
