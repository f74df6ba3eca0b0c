// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/value.h"

namespace plumb {

// A pointer that lies in memory: eight bytes at offset.
struct StoredPointer {
  std::uint32_t offset = 0;
  Value value;

  bool operator==(const StoredPointer&) const = default;
};

struct MemoryImage {
  std::vector<std::uint8_t> bytes;      // the bytes of a stored pointer are 0 here
  std::vector<StoredPointer> pointers;  // by increasing offset

  bool operator==(const MemoryImage&) const = default;
};

// The program or a helper writes to the stack.
struct StackStore {
  enum class By : std::uint8_t {
    kStore,         // one store
    kAtomic,        // one store
    kFailedAtomic,  // compare-and-exchange that did not exchange: one store or none
    kHelper,
  };
  By by = By::kStore;
  std::uint8_t size = 0;          // bytes; helpers: 0, see helper_size
  std::uint32_t helper_size = 0;  // kHelper: bytes
  Place at;                       // of the instruction
  std::int32_t event = -1;        // the last one before it: index in Execution::trace; -1: none yet
  Value target;                   // where: a pointer to the stack
  Value value;                    // what; scalars are not cut to size. Not what helpers write

  bool operator==(const StackStore&) const = default;
};

// One throw.
struct Throw {
  int ended = 0;           // activations that it ended, the boundary's among them
  int callback_stack = 0;  // bytes of BPF stack that the exception callback may use

  bool operator==(const Throw&) const = default;
};

// What the oracle says about a case.
struct Execution {
  // Undefined: the case uses something that a verifier would have refused. Never compared.
  bool defined = false;
  std::string undefined_reason;  // a phrase without numbers, groups cases in statistics
  std::string undefined_detail;  // one line: what exactly, where
  Place undefined_at;
  // Undefined, but real kernels run such programs: a limit of the model (docs/what-is-defined.md).
  bool blind_spot = false;
  // Undefined, since the contract does not say what happens: to JITs under it, not applicable.
  bool unsaid = false;

  // What the case needs from a JIT: or of core/capability.h. 0 where the code does not hold
  // together.
  std::uint64_t required_capabilities = 0;

  Value result;  // R0 at the end of the invocation, under the contract
  MemoryImage context;
  std::vector<MemoryImage> regions;
  std::vector<Event> trace;
  std::vector<StackStore> stack_stores;  // in order
  std::uint32_t activations = 0;         // how many there were; ordinals count from 0
  std::uint64_t instructions = 0;        // executed
  std::uint32_t tail_calls = 0;          // taken
  std::vector<Throw> throws;             // in order
  std::vector<std::uint32_t>
      activation_function;  // per activation: program * kMaxFunctions + function

  bool operator==(const Execution&) const = default;
};

}  // namespace plumb
