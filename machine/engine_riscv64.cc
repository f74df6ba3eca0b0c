// SPDX-License-Identifier: GPL-2.0-or-later
#include <unicorn/unicorn.h>

#include "machine/engine.h"

namespace plumb::machine {
namespace {

constexpr int kGeneral[] = {
    UC_RISCV_REG_X0,  UC_RISCV_REG_X1,  UC_RISCV_REG_X2,  UC_RISCV_REG_X3,  UC_RISCV_REG_X4,
    UC_RISCV_REG_X5,  UC_RISCV_REG_X6,  UC_RISCV_REG_X7,  UC_RISCV_REG_X8,  UC_RISCV_REG_X9,
    UC_RISCV_REG_X10, UC_RISCV_REG_X11, UC_RISCV_REG_X12, UC_RISCV_REG_X13, UC_RISCV_REG_X14,
    UC_RISCV_REG_X15, UC_RISCV_REG_X16, UC_RISCV_REG_X17, UC_RISCV_REG_X18, UC_RISCV_REG_X19,
    UC_RISCV_REG_X20, UC_RISCV_REG_X21, UC_RISCV_REG_X22, UC_RISCV_REG_X23, UC_RISCV_REG_X24,
    UC_RISCV_REG_X25, UC_RISCV_REG_X26, UC_RISCV_REG_X27, UC_RISCV_REG_X28, UC_RISCV_REG_X29,
    UC_RISCV_REG_X30, UC_RISCV_REG_X31,
};

}  // namespace

EngineArch engine_arch_riscv64() {
  return {.arch = Arch::kRiscv64,
          .emulator_arch = UC_ARCH_RISCV,
          .emulator_mode = UC_MODE_RISCV64,
          .general = kGeneral,
          .program_counter = UC_RISCV_REG_PC};
}

}  // namespace plumb::machine
