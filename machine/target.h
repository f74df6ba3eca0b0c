// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/arch.h"
#include "core/frame_geometry.h"
#include "core/machine_run.h"
#include "machine/engine.h"
#include "machine/guest_memory.h"

namespace plumb::machine {

// A basic block that ran, by guest addresses; its bytes lie in an arena.
struct Block {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// How control came to a block, as a processor sees it that checks landing pads.
enum class Arrival : std::uint8_t { kDirect, kIndirectJump, kIndirectCall };

struct TargetFacts {
  Arch arch = Arch::kX86_64;
  int register_count = 0;
  int stack_pointer = 0;           // hardware numbers
  int result = 0;                  // what a native function returns
  int zero = -1;                   // always 0; -1: there is no such register
  int link = -1;                   // holds the return address on arrival; -1: it is on the stack
  std::uint32_t caller_saved = 0;  // bit per hardware number: what a helper may destroy
  FrameGeometry frame;             // what a call pushes, where the frame record lies
};

// Everything about one instruction set that the machine must know. Only what native code shows:
// nothing here depends on a JIT. A further architecture adds target_<arch>.cc and engine_<arch>.cc
// and nothing else.
class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual const TargetFacts& facts() const = 0;

  // Fills the stub area (core/guest.h), which lies at host address area: a return for every helper,
  // and the native routine of the loop helper behind kLoopRoutine.
  virtual void write_stubs(std::uint64_t area) const = 0;
  // Are the stubs that matter still as write_stubs() left them?
  [[nodiscard]] virtual bool stubs_intact(std::uint64_t area) const = 0;
  // The last block of the loop routine: what a helper destroys is destroyed there.
  [[nodiscard]] virtual std::uint64_t loop_end(std::uint64_t area) const = 0;

  // Lets the function return to the address: as the kernel's call of it would.
  virtual void set_return_address(RegisterFile& registers, GuestMemory& memory,
                                  std::uint64_t address) const = 0;
  // Where the callee has to return, when the block at address was reached by a call instruction at
  // the end of the previous one.
  [[nodiscard]] virtual std::optional<std::uint64_t> return_address_of_call(
      const Engine& engine, const GuestMemory& memory, const Block& previous,
      std::uint64_t address) const = 0;
  // Was the block at address reached by a return instruction at the end of the previous one?
  [[nodiscard]] virtual bool reached_by_return(const Engine& engine, const GuestMemory& memory,
                                               const Block& previous,
                                               std::uint64_t address) const = 0;
  // How the block at address was reached from the end of the previous one, when by no return.
  [[nodiscard]] virtual Arrival arrival(const Block&, std::uint64_t) const {
    return Arrival::kDirect;
  }
  // By how many bytes the instruction at pc, which stores below sp, moves sp down: more than 0 for
  // a push and a call, 0 for all others.
  [[nodiscard]] virtual std::uint64_t pushed_bytes(std::uint64_t pc) const = 0;
  // Address of the instruction that ended the run so, from the program counter that the engine
  // reports.
  [[nodiscard]] virtual std::uint64_t trap_address(std::uint64_t pc, EngineStatus status) const = 0;
};

// Slots of the stub area from here on hold the machine's own code; helper numbers are below.
inline constexpr std::uint64_t kLoopRoutineSlot = 3072;
inline constexpr std::uint64_t kLoopRoutineOffset = kLoopRoutineSlot * guest::kStubStride;
inline constexpr std::uint64_t kLoopRoutineRoom = guest::kStubSize - kLoopRoutineOffset;

[[nodiscard]] std::unique_ptr<Target> make_target_x86_64();
[[nodiscard]] std::unique_ptr<Target> make_target_arm64();
[[nodiscard]] std::unique_ptr<Target> make_target_riscv64();
[[nodiscard]] std::unique_ptr<Target> make_target(Arch arch);

}  // namespace plumb::machine
