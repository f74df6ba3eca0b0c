// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/platform.h"

#include <initializer_list>

namespace plumb::invariants {
namespace {

constexpr RegisterSet registers(std::initializer_list<int> numbers) {
  RegisterSet set = 0;
  for (const int number : numbers) set |= RegisterSet{1} << number;
  return set;
}

// System V psABI for x86-64, section 3.2.3: rbx, rbp, r12 ... r15; arguments in rdi, rsi, rdx, rcx,
// r8. What a push moves sp by is what the kernel keeps it aligned to.
constexpr Platform kX86_64{
    .callee_saved = registers({3, 5, 12, 13, 14, 15}),
    .result_register = 0,
    .argument_registers = {7, 6, 2, 1, 8},
    .call_alignment = 8,
    .geometry = frame_geometry(Arch::kX86_64),
};

// AAPCS64, section 6.1.1: x19 ... x28 and the frame pointer x29. With an sp that is no multiple of
// 16, accesses by it fault, those of an interrupt too (Arm ARM, D1, SP alignment checking).
constexpr Platform kArm64{
    .callee_saved = registers({19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}),
    .result_register = 0,
    .argument_registers = {0, 1, 2, 3, 4},
    .sp_alignment = 16,
    .call_alignment = 16,
    .geometry = frame_geometry(Arch::kArm64),
};

// RISC-V psABI, integer calling convention: s0, s1 (x8, x9) and s2 ... s11 (x18 ... x27). gp (x3)
// and tp (x4) are nobody's to change; in the kernel tp is the current task. Since kernel commit
// 2f1b0d3d7331 a0 is the sign-extended lower half of R0, for the kernel's eyes only.
constexpr Platform kRiscv64{
    .callee_saved = registers({3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27}),
    .result_register = 10,
    .argument_registers = {10, 11, 12, 13, 14},
    .returns_in_r0 = true,
    .sp_alignment = 16,
    .call_alignment = 16,
    .geometry = frame_geometry(Arch::kRiscv64),
};

}  // namespace

const Platform& platform(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return kX86_64;
    case Arch::kArm64:
      return kArm64;
    case Arch::kRiscv64:
      return kRiscv64;
  }
  return kX86_64;
}

}  // namespace plumb::invariants
