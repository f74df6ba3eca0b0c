// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/native_register.h"

#include <array>
#include <string_view>

namespace plumb {

std::string register_name(Arch arch, NativeRegister native) {
  static constexpr std::array<std::string_view, 16> kX86{"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                         "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                         "r12", "r13", "r14", "r15"};
  static constexpr std::array<std::string_view, 32> kRiscv{
      "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "fp", "s1", "a0",
      "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
      "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
  if (native.is_none()) return "none";
  if (!native.is_known()) return "unknown";
  const std::uint8_t number = native.number();
  switch (arch) {
    case Arch::kX86_64:
      if (number < kX86.size()) return std::string(kX86[number]);
      break;
    case Arch::kArm64:
      return number == 31 ? "sp" : "x" + std::to_string(number);
    case Arch::kRiscv64:
      if (number < kRiscv.size()) return std::string(kRiscv[number]);
      break;
  }
  return std::to_string(number);
}

}  // namespace plumb
