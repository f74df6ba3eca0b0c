// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/arch.h"
#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::machine {

enum class FaultKind : std::uint8_t { kRead, kWrite, kExecute };

// What an engine reports while it runs. Every call may read registers; on_block and on_instruction
// may write them too. Addresses of code are reported without the alias (core/image.h).
class EngineClient {
 public:
  virtual ~EngineClient() = default;
  virtual void on_block(std::uint64_t address, std::uint32_t size) = 0;
  virtual void on_instruction(std::uint64_t address) = 0;
  // value: of stores, the first 8 bytes, zero-extended; of loads 0.
  virtual void on_stack_access(AccessKind kind, std::uint64_t address, std::uint8_t size,
                               std::uint64_t value) = 0;
  virtual void on_fault(FaultKind kind, std::uint64_t address) = 0;
};

// What an engine reports to its client. Hooks are compiled into translated code, so an engine keeps
// its set for life.
enum class Watch : std::uint8_t {
  kStubs,  // blocks in the stub area, faults
  kFast,   // all blocks, stores to the stack, watched instructions, faults; where the emulator
           // does not know which instruction stores, all instructions
  kFull,   // all blocks and instructions, every access to the stack, faults
};

enum class EngineStatus : std::uint8_t { kStopped, kFault, kInvalidInsn, kTrap, kFailed };

// One architecture in the emulator's own numbers.
struct EngineArch {
  Arch arch = Arch::kX86_64;
  int emulator_arch = 0;
  int emulator_mode = 0;
  int cpu_model = -1;            // -1: the emulator's own choice
  std::span<const int> general;  // registers by hardware number
  int flags = 0;                 // 0: the architecture has none
  std::uint64_t initial_flags = 0;
  std::uint64_t scrambled_flags = 0;
  int program_counter = 0;
  int per_cpu_base = 0;  // register that holds the address of per-CPU data; 0: none
  // The emulator keeps the program counter up to date where it reports accesses to memory.
  bool knows_accessing_insn = false;
};
[[nodiscard]] EngineArch engine_arch_x86_64();
[[nodiscard]] EngineArch engine_arch_arm64();
[[nodiscard]] EngineArch engine_arch_riscv64();

struct HostMapping {
  Range guest;
  std::uint8_t* host = nullptr;
  bool writable = false;
  bool executable = false;
};

// What an engine knows for life: its own mappings, and what is what in them.
struct EngineMemory {
  std::vector<HostMapping> mappings;
  Range stack;                // accesses to it are reported
  std::uint64_t per_cpu = 0;  // goes to EngineArch::per_cpu_base
};

// One Unicorn engine. Owns the C handle; engine*.cc are the only files that know Unicorn.
//
// Reusing an engine is what makes runs cheap (opening one costs 160 us), and has a price:
// translated code survives in it, so drop_code() is owed for every byte of code that changed; and
// its buffer only grows, so the owner replaces the engine from time to time.
class Engine {
 public:
  // The host's memory outlives the engine.
  [[nodiscard]] static std::unique_ptr<Engine> open(Arch arch, Watch watch,
                                                    const EngineMemory& memory);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Maps memory that holds code, and its alias, readable and executable, not writable. False when
  // the range overlaps another one that is mapped: the engine has to be replaced.
  [[nodiscard]] bool map_code(const HostRange& memory);
  // kStubs: the blocks in this range are reported.
  void watch_stubs(const Range& stubs);
  void drop_code(const Range& range);
  // kFast: the instructions in these ranges are reported; others only when the ranges are many, for
  // translating one instruction takes the longer the more of them there are. The code that holds
  // them must have been dropped, or must never have run.
  void watch_instructions(std::span<const Range> ranges);

  // Runs until the program counter reaches the end address, stop() or an error.
  [[nodiscard]] EngineStatus run(EngineClient& client, std::uint64_t begin, std::uint64_t end);
  void stop();
  // What Unicorn says about the last run, for people.
  [[nodiscard]] std::string_view message() const;

  [[nodiscard]] std::uint64_t program_counter() const;
  [[nodiscard]] std::uint64_t read(int hardware_register) const;
  // Fewer than all, for what is read at every instruction.
  void read(std::span<const int> hardware_registers, std::uint64_t* values) const;
  void read_all(RegisterFile& values) const;
  // All general registers, and the flags as at the start of a function.
  void write_all(const RegisterFile& values);
  // The registers whose bit is set, and flags that no code can expect.
  void scramble(std::uint32_t mask, const RegisterFile& values);

  struct Handle;  // engine.cc

 private:
  explicit Engine(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace plumb::machine
