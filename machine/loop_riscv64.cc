// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/loop_routine.h"

namespace plumb::machine {
namespace {

// Assembled by llvm-mc-19 -triple=riscv64 -mattr=+m,+a,-c; AsmJit knows no RISC-V. The frame:
//
//   sp + 136  ra  }  frame record: the frame pointer, s0, holds sp + 144
//   sp + 128  s0  }
//   sp + 40   s11 ... s1
//   sp + 32   count
//   sp + 24   callback
//   sp + 16   context
//   sp + 8    index
constexpr std::uint32_t kWords[] = {
    0xf7010113,  //           addi sp, sp, -144
    0x08113423,  //           sd ra, 136(sp)
    0x08813023,  //           sd s0, 128(sp)
    0x09010413,  //           addi s0, sp, 144
    0x06913c23,  //           sd s1, 120(sp)
    0x07213823,  //           sd s2, 112(sp)
    0x07313423,  //           sd s3, 104(sp)
    0x07413023,  //           sd s4, 96(sp)
    0x05513c23,  //           sd s5, 88(sp)
    0x05613823,  //           sd s6, 80(sp)
    0x05713423,  //           sd s7, 72(sp)
    0x05813023,  //           sd s8, 64(sp)
    0x03913c23,  //           sd s9, 56(sp)
    0x03a13823,  //           sd s10, 48(sp)
    0x03b13423,  //           sd s11, 40(sp)
    0x02a12023,  //           sw a0, 32(sp)
    0x00b13c23,  //           sd a1, 24(sp)
    0x00c13823,  //           sd a2, 16(sp)
    0x00012423,  //           sw zero, 8(sp)
    0x02051313,  //           slli t1, a0, 32
    0x02035313,  //           srli t1, t1, 32
    0xfea00513,  //           li a0, -22
    0x0a069663,  //           bnez a3, done
    0xff900513,  //           li a0, -7
    0x008002b7,  //           lui t0, 1 << 11
    0x0a62e063,  //           bltu t0, t1, done
    0x00816303,  // again:    lwu t1, 8(sp)
    0x02016283,  //           lwu t0, 32(sp)
    0x08537663,  //           bgeu t1, t0, finished
    0x5c5c0fb7,  //           lui t6, 0x5c5c0
    0x020f9f13,  //           slli t5, t6, 32
    0x01efefb3,  //           or t6, t6, t5
    0x005f8293,  //           addi t0, t6, 5
    0x007f8393,  //           addi t2, t6, 7
    0x009f8493,  //           addi s1, t6, 9
    0x00ff8793,  //           addi a5, t6, 15
    0x010f8813,  //           addi a6, t6, 16
    0x011f8893,  //           addi a7, t6, 17
    0x012f8913,  //           addi s2, t6, 18
    0x013f8993,  //           addi s3, t6, 19
    0x014f8a13,  //           addi s4, t6, 20
    0x015f8a93,  //           addi s5, t6, 21
    0x016f8b13,  //           addi s6, t6, 22
    0x017f8b93,  //           addi s7, t6, 23
    0x018f8c13,  //           addi s8, t6, 24
    0x019f8c93,  //           addi s9, t6, 25
    0x01af8d13,  //           addi s10, t6, 26
    0x01bf8d93,  //           addi s11, t6, 27
    0x01cf8e13,  //           addi t3, t6, 28
    0x01df8e93,  //           addi t4, t6, 29
    0x01ef8f13,  //           addi t5, t6, 30
    0x01ff8f93,  //           addi t6, t6, 31
    0x00816503,  //           lwu a0, 8(sp)
    0x01013583,  //           ld a1, 16(sp)
    0x00000613,  //           li a2, 0
    0x00000693,  //           li a3, 0
    0x00000713,  //           li a4, 0
    0x01813303,  //           ld t1, 24(sp)
    0x000300e7,  //           jalr t1
    0x00816303,  //           lwu t1, 8(sp)
    0x0013031b,  //           addiw t1, t1, 1
    0x00612423,  //           sw t1, 8(sp)
    0xf60508e3,  //           beqz a0, again
    0x00816503,  // finished: lwu a0, 8(sp)
    0x0040006f,  //           j done: a block of its own
    0x02813d83,  // done:     ld s11, 40(sp)
    0x03013d03,  //           ld s10, 48(sp)
    0x03813c83,  //           ld s9, 56(sp)
    0x04013c03,  //           ld s8, 64(sp)
    0x04813b83,  //           ld s7, 72(sp)
    0x05013b03,  //           ld s6, 80(sp)
    0x05813a83,  //           ld s5, 88(sp)
    0x06013a03,  //           ld s4, 96(sp)
    0x06813983,  //           ld s3, 104(sp)
    0x07013903,  //           ld s2, 112(sp)
    0x07813483,  //           ld s1, 120(sp)
    0x08013403,  //           ld s0, 128(sp)
    0x08813083,  //           ld ra, 136(sp)
    0x09010113,  //           addi sp, sp, 144
    0x00008067,  //           ret
};
constexpr std::uint64_t kEnd = 0x104;
static_assert(kWords[kEnd / 4] == 0x02813d83);
static_assert(kScrambledRegister == (0x5c5c0ull << 44 | 0x5c5c0ull << 12));

}  // namespace

LoopRoutine loop_routine_riscv64() {
  LoopRoutine routine{.code = {}, .end = kEnd};
  for (const std::uint32_t word : kWords) {
    for (int shift = 0; shift < 32; shift += 8) {
      routine.code.push_back(static_cast<std::uint8_t>(word >> shift));
    }
  }
  return routine;
}

}  // namespace plumb::machine
