// SPDX-License-Identifier: GPL-2.0-or-later
#include <unicorn/unicorn.h>

#include "machine/engine.h"

namespace plumb::machine {
namespace {

// x0 ... x30; 31 is the stack pointer wherever the machine needs it, and never the zero register.
constexpr int kGeneral[] = {
    UC_ARM64_REG_X0,  UC_ARM64_REG_X1,  UC_ARM64_REG_X2,  UC_ARM64_REG_X3,  UC_ARM64_REG_X4,
    UC_ARM64_REG_X5,  UC_ARM64_REG_X6,  UC_ARM64_REG_X7,  UC_ARM64_REG_X8,  UC_ARM64_REG_X9,
    UC_ARM64_REG_X10, UC_ARM64_REG_X11, UC_ARM64_REG_X12, UC_ARM64_REG_X13, UC_ARM64_REG_X14,
    UC_ARM64_REG_X15, UC_ARM64_REG_X16, UC_ARM64_REG_X17, UC_ARM64_REG_X18, UC_ARM64_REG_X19,
    UC_ARM64_REG_X20, UC_ARM64_REG_X21, UC_ARM64_REG_X22, UC_ARM64_REG_X23, UC_ARM64_REG_X24,
    UC_ARM64_REG_X25, UC_ARM64_REG_X26, UC_ARM64_REG_X27, UC_ARM64_REG_X28, UC_ARM64_REG_X29,
    UC_ARM64_REG_X30, UC_ARM64_REG_SP,
};
constexpr std::uint64_t kScrambledFlags = 0xf000'0000;  // N Z C V

}  // namespace

// The default model, Cortex-A57, lacks LSE atomics and pointer authentication.
EngineArch engine_arch_arm64() {
  return {.arch = Arch::kArm64,
          .emulator_arch = UC_ARCH_ARM64,
          .emulator_mode = UC_MODE_LITTLE_ENDIAN,
          .cpu_model = UC_CPU_ARM64_MAX,
          .general = kGeneral,
          .flags = UC_ARM64_REG_NZCV,
          .initial_flags = 0,
          .scrambled_flags = kScrambledFlags,
          .program_counter = UC_ARM64_REG_PC};
}

}  // namespace plumb::machine
