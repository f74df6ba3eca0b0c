// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::machine {

// Eight bytes on the stack that no instruction stores: for tests of what judges a run. It happens
// just before an instruction, as if another one that stores stood in front of it.
struct InjectedStore {
  std::size_t step = 0;  // before which instruction: index in MachineRun::steps
  std::uint64_t address = 0;
  std::uint64_t value = 0;
  bool adds = false;         // the value to what lies there
  std::uint64_t before = 0;  // set by the run: what lay there
};

struct RunOptions {
  Depth depth = Depth::kFast;
  std::uint64_t block_budget = 200'000;  // basic blocks (kFast) or instructions (kFull)
  InjectedStore* injected = nullptr;     // kFull; outlives the run
};

// Runs images of one architecture. One engine, kept and restored between runs; one per thread.
class Machine {
 public:
  virtual ~Machine() = default;
  // The case gives the initial memory and the meaning of the image's functions. Never fails: what
  // goes wrong is in MachineRun::stop. The same arguments give the same result, whatever ran
  // before. The returned reference stays valid until the next run.
  [[nodiscard]] virtual const MachineRun& run(const Case& value, const Image& image,
                                              const RunOptions& options) = 0;
  // The image alone on the bare emulator, no hooks but the helper stubs: what run() is measured
  // against. Returns the native result register. Only for an image that run() saw return: nothing
  // ends a run that does not end by itself.
  virtual std::uint64_t run_bare(const Case& value, const Image& image,
                                 const RunOptions& options) = 0;
};

// Unicorn 2.0 ends the whole process on a few x86 encodings that no JIT should emit: far calls and
// jumps with a register operand, LOCK on cmp and on register forms of bt, bts, btr and btc. Whoever
// runs code that may hold them does it in a child process.
[[nodiscard]] std::unique_ptr<Machine> make_machine(Arch arch);
// The same with room for a context of kLargeContext bytes, of which the pages behind a small one
// are no fence.
[[nodiscard]] std::unique_ptr<Machine> make_machine_for_large_contexts(Arch arch);
inline constexpr std::uint64_t kLargeContext = 0x10000;

struct DisassembledInsn {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
  std::string text;  // "mov rbp, rsp"
};

// Disassembles bytes that lie at a guest address. Bytes that are no instruction come out one by one
// as ".byte"; on arm64 and riscv64, words and halves of that kind as ".word" and ".half". riscv64
// and what is new in arm64 need LLVM.
[[nodiscard]] std::vector<DisassembledInsn> disassemble(Arch arch,
                                                        std::span<const std::uint8_t> bytes,
                                                        std::uint64_t address);
// The same for code of an image; as much of the range as is in its memory.
[[nodiscard]] std::vector<DisassembledInsn> disassemble(const Image& image, const Range& range);

}  // namespace plumb::machine
