// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/arch.h"
#include "core/frame_geometry.h"
#include "core/machine_run.h"
#include "machine/engine.h"
#include "machine/guest_memory.h"
#include "machine/stub_area.h"

namespace plumb::machine {

// An instruction, little-endian.
[[nodiscard]] std::vector<std::uint8_t> word_bytes(std::uint32_t word);

// A basic block that ran, by guest addresses.
struct Block {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  const std::uint8_t* bytes = nullptr;  // of the host; null where no code may be

  [[nodiscard]] std::uint64_t size() const { return end - begin; }
  [[nodiscard]] const std::uint8_t* bytes_end() const { return bytes + size(); }
};

// A word of an instruction, which need not be aligned.
[[nodiscard]] inline std::uint32_t load_word(const std::uint8_t* bytes) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// How control came to a block, as a processor sees it that checks landing pads.
enum class Arrival : std::uint8_t { kDirect, kIndirectJump, kIndirectCall };

struct TargetFacts {
  Arch arch = Arch::kX86_64;
  int register_count = 0;
  int stack_pointer = 0;                    // hardware numbers
  int frame_pointer = 0;                    // of the platform's ABI
  int result = 0;                           // what a native function returns
  std::array<std::uint8_t, 5> arguments{};  // of a native function, the first five
  int zero = -1;                            // always 0; -1: there is no such register
  int link = -1;                   // holds the return address on arrival; -1: it is on the stack
  std::uint32_t caller_saved = 0;  // bit per hardware number: what a helper may destroy
  std::array<int, 2> reserved{-1, -1};  // what no code changes: the thread's; -1: none
  FrameGeometry frame;                  // what a call pushes, where the frame record lies
};

// Everything about one instruction set that the machine must know. Only what native code shows:
// nothing here depends on a JIT. A further architecture adds target_<arch>.cc and engine_<arch>.cc
// and nothing else.
class Target {
 public:
  virtual ~Target() = default;
  [[nodiscard]] virtual const TargetFacts& facts() const = 0;

  [[nodiscard]] virtual const StubCode& stub_code() const = 0;
  // A direct jump, or nothing when the distance is too large for one.
  [[nodiscard]] virtual std::vector<std::uint8_t> jump(std::uint64_t from,
                                                       std::uint64_t to) const = 0;

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
  // By how many bytes an instruction that stores below sp moves sp down: more than 0 for a push and
  // a call, 0 for all others.
  [[nodiscard]] virtual std::uint64_t pushed_bytes(const std::uint8_t* insn) const = 0;
  // Address of the instruction that ended the run so, from the program counter that the engine
  // reports and the byte in front of it.
  [[nodiscard]] virtual std::uint64_t trap_address(std::uint64_t pc, std::uint8_t before,
                                                   EngineStatus status) const = 0;
};

[[nodiscard]] std::unique_ptr<Target> make_target_x86_64();
[[nodiscard]] std::unique_ptr<Target> make_target_arm64();
[[nodiscard]] std::unique_ptr<Target> make_target_riscv64();
[[nodiscard]] std::unique_ptr<Target> make_target(Arch arch);

}  // namespace plumb::machine
