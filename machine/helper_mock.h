// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>

#include "core/helper_model.h"
#include "core/image.h"
#include "core/machine_run.h"
#include "machine/engine.h"
#include "machine/guest_memory.h"
#include "machine/target.h"

namespace plumb::machine {

enum class CFunction : std::uint8_t;  // c_calls.h

// What one call of a mock did.
struct MockOutcome {
  const char* problem = nullptr;  // why the call could not be made: a bad pointer or size
  std::uint64_t problem_address = 0;
  Range written;  // guest bytes that the helper filled
};

// The helpers as native code sees them: called in the middle of a run, with the callee's right to
// destroy every caller-saved register, the flags and everything below the stack pointer. It uses
// that right fully, with fixed patterns. Arguments and result are where the platform's ABI has
// them, unless the image names other registers.
class HelperMock {
 public:
  HelperMock(const Target& target, GuestMemory& memory) : target_(target), memory_(memory) {}

  void begin(const Image& image);
  // The stub of a helper other than loop and tail_call was reached; its return comes next.
  [[nodiscard]] MockOutcome call(Engine& engine, const HelperInfo& helper,
                                 const RegisterFile& registers);
  // The stub of a C function with a body (c_calls.h) was reached: its arguments, as passed. What
  // lies below the stack pointer is its own.
  [[nodiscard]] std::array<std::uint64_t, 5> enter(Engine& engine, CFunction function);
  // That body is about to return, its result in the platform's register.
  void leave(Engine& engine);

 private:
  // Leaves the result in its register and junk in all others that a callee may destroy.
  void finish(Engine& engine, std::uint64_t result);
  void scramble(Engine& engine, std::uint32_t mask, const RegisterFile& values);

  const Target& target_;
  GuestMemory& memory_;
  std::array<std::uint8_t, 5> arguments_{};  // native registers
  std::uint8_t result_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace plumb::machine
