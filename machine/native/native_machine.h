// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "core/machine_run.h"
#include "core/result.h"

namespace plumb::machine {

// Why native code is no longer running.
struct NativeStop {
  // kReturned; kFault and kInvalidInsn for signals; kBudget when it took too long.
  StopReason reason = StopReason::kReturned;
  std::string detail;         // not returned: one line, with the place in the image
  std::uint64_t pc = 0;       // not returned: of the instruction; for traps the one behind it
  std::uint64_t address = 0;  // kFault: that could not be accessed; 0: not known

  [[nodiscard]] bool returned() const { return reason == StopReason::kReturned; }
};

struct NativeRun {
  NativeStop stop;
  std::uint64_t result = 0;
  // Promises of the platform's ABI that are not kept, one line each: callee-saved registers, stack
  // pointer, direction flag, the caller's stack, the bytes around context and regions. Only of code
  // that returned.
  std::vector<std::string> broken;
  std::vector<std::uint8_t> context;  // at the end
  std::vector<std::vector<std::uint8_t>> regions;
};

// What every helper returns but bpf_loop, which is there as it should be. Not 0: where a frame is
// wrong it may end up as a tail-call count.
inline constexpr std::uint64_t kNativeHelperResult = 0x5c5c'0000'5c5c'0000;

// What stands at the stubs of helpers. A tail call's stub traps.
enum class NativeHelpers : std::uint8_t {
  // They scramble every caller-saved register and 256 bytes below the stack pointer. bpf_loop
  // (machine/native/loop_routine.h) scrambles all that is no argument before each callback.
  kThorough,
  // For measurements: a dozen instructions that scramble the caller-saved registers; bpf_loop as a
  // compiler makes it.
  kQuick,
};

class NativeCode;

// Runs images on this processor: x86-64 hosts with Linux only. Code, context, regions, stack and
// per-CPU data lie at the addresses that Image::placement gives, which have to be free in this
// process: so there is one such object at a time (and none under AddressSanitizer, whose shadow
// memory covers them). The stack is fenced by unmapped pages, nothing is writable and executable at
// once, and what the processor refuses or takes too long ends the run, not the process. It is no
// sandbox all the same: a store to an address that happens to be mapped is made. Whoever runs code
// that may be wrong does it in a child process first.
class NativeMachine {
 public:
  // An error says why native code cannot run here: another processor, addresses that are in use.
  [[nodiscard]] static Result<std::unique_ptr<NativeMachine>> open();
  virtual ~NativeMachine() = default;

  // Makes the image ready to run. It must stay loaded, and neither it nor the JIT nor another
  // machine may touch the arena as long as the NativeCode lives; one at a time. An error says why
  // the image cannot run on this machine.
  [[nodiscard]] virtual Result<NativeCode> load(const Case& value, const Image& image,
                                                NativeHelpers helpers) = 0;

 private:
  friend class NativeCode;
  virtual NativeRun run() = 0;
  virtual NativeStop repeat(std::uint64_t calls) = 0;
  virtual NativeStop repeat_empty(std::uint64_t calls) = 0;
  virtual std::vector<std::uint64_t> trace() = 0;
  virtual void unload() = 0;
};

// An image that is ready to run.
class NativeCode {
 public:
  explicit NativeCode(NativeMachine& machine) : machine_(&machine) {}
  NativeCode(NativeCode&& other) noexcept : machine_(other.machine_) { other.machine_ = nullptr; }
  NativeCode& operator=(NativeCode&&) = delete;
  NativeCode(const NativeCode&) = delete;
  NativeCode& operator=(const NativeCode&) = delete;
  ~NativeCode() {
    if (machine_ != nullptr) machine_->unload();
  }

  // One invocation, from the memory that the case gives and with a known value in every register.
  [[nodiscard]] NativeRun run() { return machine_->run(); }
  // So many invocations, more than 0, one after the other, each in the memory that the last one
  // left, and nothing between them but three instructions. For code that run() found in order.
  [[nodiscard]] NativeStop repeat(std::uint64_t calls) { return machine_->repeat(calls); }
  // The same with a function that only returns: what repeat() itself costs.
  [[nodiscard]] NativeStop repeat_empty(std::uint64_t calls) {
    return machine_->repeat_empty(calls);
  }
  // As run(), but the processor stops at each instruction: the addresses of those that lie in
  // Image::code, in order. Slow.
  [[nodiscard]] std::vector<std::uint64_t> trace() { return machine_->trace(); }

 private:
  NativeMachine* machine_;
};

}  // namespace plumb::machine
