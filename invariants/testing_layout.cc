// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/testing_layout.h"

namespace plumb::invariants {
namespace {

BuiltLayout layout_x86_64() {
  constexpr std::size_t kRax = 0, kRbx = 3, kRsp = 4, kRbp = 5, kR13 = 13;
  return {.arch = Arch::kX86_64,
          // rax, rdi, rsi, rdx, rcx, r8, rbx, r13, r14, r15, rbp
          .registers = {.bpf = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5}, .frame_pointer = 5},
          .sp = kRsp,
          .result = kRax,
          .link = kRsp,
          .stack_alignment = 8,
          .call_pushes = 8,
          .call_size = 5,
          .landing = 12,
          .landing_below = 8,
          .frame_pointer_below = 8,
          .record_saved = 0,
          .record_return = 8,
          .saved = {{.pc = 5, .below = 8, .sp_below = 0, .number = kRbp}},
          .pushed_behind = {kRax, kRax, kRbx, kR13},
          .stack_below = 8};
}

BuiltLayout layout_arm64() {
  constexpr std::size_t kX7 = 7, kX19 = 19, kX25 = 25, kX26 = 26, kX29 = 29, kX30 = 30, kSp = 31;
  return {.arch = Arch::kArm64,
          .registers = {.bpf = {7, 0, 1, 2, 3, 4, 19, 20, 21, 22, 25}, .frame_pointer = 29},
          .sp = kSp,
          .result = 0,
          .link = kX30,
          .stack_alignment = 16,
          .call_pushes = 0,
          .call_size = 4,
          .landing = 24,
          .landing_below = 32,
          .frame_pointer_below = 16,
          .record_saved = 0,
          .record_return = 8,
          .saved = {{.pc = 8, .below = 16, .sp_below = 0, .number = kX29},
                    {.pc = 8, .below = 8, .sp_below = 0, .number = kX30},
                    {.pc = 16, .below = 32, .sp_below = 16, .number = kX7},
                    {.pc = 16, .below = 24, .sp_below = 16, .number = kX26},
                    {.pc = 24, .below = 48, .sp_below = 32, .number = kX19},
                    {.pc = 24, .below = 40, .sp_below = 32, .number = kX25}},
          .pushed_behind = {},
          .stack_below = 48};
}

BuiltLayout layout_riscv64(bool makes_calls) {
  constexpr std::size_t kRa = 1, kSp = 2, kS0 = 8, kS1 = 9, kA0 = 10, kS2 = 18, kS5 = 21;
  BuiltLayout layout{
      .arch = Arch::kRiscv64,
      .registers = {.bpf = {15, 10, 11, 12, 13, 14, 9, 18, 19, 20, 21}, .frame_pointer = 8},
      .sp = kSp,
      .result = kA0,
      .link = kRa,
      .stack_alignment = 16,
      .call_pushes = 0,
      .call_size = 4,
      .landing = 12,
      .landing_below = 0,
      .frame_pointer_below = 0,
      .record_saved = makes_calls ? -16 : -8,
      .record_return = -8,
      .saved = {},
      .pushed_behind = {},
      .stack_below = 48,
      .sp_moves_first = true,
      .counts_on_stack = false};
  std::uint64_t below = 0;
  std::uint32_t pc = 16;
  for (const std::size_t number : {kRa, kS0, kS1, kS2, kS5}) {
    if (number == kRa && !makes_calls) continue;
    below += 8;
    layout.saved.push_back(
        {.pc = pc, .below = below, .sp_below = layout.stack_below, .number = number});
    pc += 2;
  }
  return layout;
}

}  // namespace

BuiltLayout built_layout(Arch arch, bool makes_calls) {
  switch (arch) {
    case Arch::kX86_64:
      return layout_x86_64();
    case Arch::kArm64:
      return layout_arm64();
    case Arch::kRiscv64:
      return layout_riscv64(makes_calls);
  }
  return layout_x86_64();
}

}  // namespace plumb::invariants
