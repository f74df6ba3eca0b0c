// SPDX-License-Identifier: GPL-2.0-or-later
#include <unicorn/unicorn.h>

#include "machine/engine.h"

namespace plumb::machine {
namespace {

constexpr int kGeneral[] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
    UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
    UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
};
// Bit 1 is always set; CF PF AF ZF SF OF are the arithmetic flags. DF stays clear: the ABI promises
// it.
constexpr std::uint64_t kCleanFlags = 0x002;
constexpr std::uint64_t kScrambledFlags = 0x8d7;

}  // namespace

EngineArch engine_arch_x86_64() {
  return {.arch = Arch::kX86_64,
          .emulator_arch = UC_ARCH_X86,
          .emulator_mode = UC_MODE_64,
          .general = kGeneral,
          .flags = UC_X86_REG_EFLAGS,
          .initial_flags = kCleanFlags,
          .scrambled_flags = kScrambledFlags,
          .program_counter = UC_X86_REG_RIP,
          .per_cpu_base = UC_X86_REG_GS_BASE,
          .knows_accessing_insn = true};
}

}  // namespace plumb::machine
