// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/testing_code.h"

#include <utility>

namespace plumb::machine {
namespace {

std::uint32_t riscv_jump(std::uint32_t link, std::uint64_t from, std::uint64_t to) {
  const auto d = static_cast<std::uint32_t>(to - from);
  return 0x6f | link << 7 | (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 |
         (d >> 12 & 0xff) << 12;
}

std::uint32_t arm_branch(std::uint32_t opcode, std::uint64_t from, std::uint64_t to) {
  return opcode | (static_cast<std::uint32_t>(to - from) >> 2 & 0x3ffffff);
}

// movz or movk of 16 bits at a shift of 16 * part.
std::uint32_t arm_move(std::uint32_t opcode, int number, std::uint64_t value, std::uint32_t part) {
  return opcode | part << 21 | static_cast<std::uint32_t>(value >> (16 * part) & 0xffff) << 5 |
         static_cast<std::uint32_t>(number);
}
constexpr std::uint32_t kMovz = 0xd2800000;
constexpr std::uint32_t kMovk = 0xf2800000;

std::uint32_t riscv_li(int number, std::uint32_t value) {
  return 0x13 | static_cast<std::uint32_t>(number) << 7 | value << 20;
}

}  // namespace

Words TestCode::load_result(std::uint32_t value) const {
  return {arch == Arch::kArm64 ? arm_move(kMovz, result, value, 0) : riscv_li(result, value)};
}

Words TestCode::load_wide_result(std::uint64_t value) const {
  Words words;
  if (arch == Arch::kArm64) {
    for (std::uint32_t part = 0; part < 4; ++part) {
      words.push_back(arm_move(part == 0 ? kMovz : kMovk, result, value, part));
    }
    return words;
  }
  const std::uint32_t both =
      static_cast<std::uint32_t>(result) << 7 | static_cast<std::uint32_t>(result) << 15;
  words.push_back(riscv_li(result, static_cast<std::uint32_t>(value >> 56)));
  for (int shift = 48; shift >= 0; shift -= 8) {
    words.push_back(0x1013 | both | 8u << 20);  // slli
    words.push_back(0x6013 | both |
                    static_cast<std::uint32_t>(value >> shift & 0xff) << 20);  // ori
  }
  return words;
}

Words TestCode::load_preserved(std::uint32_t value) const {
  return {arch == Arch::kArm64 ? arm_move(kMovz, preserved, value, 0) : riscv_li(preserved, value)};
}

std::uint32_t TestCode::store_result(std::uint32_t offset) const {
  const auto source = static_cast<std::uint32_t>(result);
  if (arch == Arch::kArm64) return 0xf9000000 | offset / 8 << 10 | 31u << 5 | source;  // str
  return 0x23 | (offset & 0x1f) << 7 | 3u << 12 | 2u << 15 | source << 20 |
         offset >> 5 << 25;  // sd
}

Words TestCode::loop_arguments(std::uint64_t function, std::uint32_t count,
                               std::uint32_t flags) const {
  if (arch == Arch::kArm64) {
    return {arm_move(kMovz, 0, count, 0),    arm_move(kMovk, 0, count, 1),
            arm_move(kMovz, 1, function, 0), arm_move(kMovk, 1, function, 1),
            arm_move(kMovk, 1, function, 2), arm_move(kMovk, 1, function, 3),
            arm_move(kMovz, 2, 99, 0),       arm_move(kMovz, 3, flags, 0)};
  }
  Words words;
  for (const auto& [number, value] :
       {std::pair{10u, count}, {11u, static_cast<std::uint32_t>(function)}}) {
    words.push_back(0x37 | number << 7 | (value + 0x800) >> 12 << 12);           // lui
    words.push_back(0x13 | number << 7 | number << 15 | (value & 0xfff) << 20);  // addi
  }
  words.insert(words.end(), {riscv_li(12, 99), riscv_li(13, flags)});
  return words;
}

std::uint32_t TestCode::call(std::uint64_t from, std::uint64_t to) const {
  return arch == Arch::kArm64 ? arm_branch(0x94000000, from, to) : riscv_jump(1, from, to);
}

std::uint32_t TestCode::jump(std::uint64_t from, std::uint64_t to) const {
  return arch == Arch::kArm64 ? arm_branch(0x14000000, from, to) : riscv_jump(0, from, to);
}

TestCode test_code(Arch arch) {
  if (arch == Arch::kArm64) {
    return {.arch = arch,
            .sp = 31,
            .link = 30,
            .frame_pointer = 29,
            .result = 0,
            .preserved = 19,
            .frame_size = 48,
            .record_below = 16,
            .prologue = {0xa9bf7bfd,   // stp x29, x30, [sp, #-16]!
                         0x910003fd,   // mov x29, sp
                         0xd10083ff},  // sub sp, sp, #32
            .epilogue = {0x910083ff,   // add sp, sp, #32
                         0xa8c17bfd},  // ldp x29, x30, [sp], #16
            .save = {0xa9bf7bfd},      // stp x29, x30, [sp, #-16]!
            .restore = {0xa8c17bfd},   // ldp x29, x30, [sp], #16
            .ret = 0xd65f03c0,
            .nop = 0xd503201f,
            .trap = 0xd4200000,           // brk #0
            .invalid = 0x00000000,        // udf #0
            .store = 0xf90007e0,          // str x0, [sp, #8]
            .store_below = 0xf81f83e0,    // stur x0, [sp, #-8]
            .load = 0xf9400001,           // ldr x1, [x0]
            .clobber_link = 0x910013de};  // add x30, x30, #4
  }
  return {.arch = arch,
          .sp = 2,
          .link = 1,
          .frame_pointer = 8,
          .result = 10,
          .preserved = 9,
          .frame_size = 48,
          .record_below = 16,
          .prologue = {0xfd010113,   // addi sp, sp, -48
                       0x02113423,   // sd ra, 40(sp)
                       0x02813023,   // sd s0, 32(sp)
                       0x03010413},  // addi s0, sp, 48
          .epilogue = {0x02813083,   // ld ra, 40(sp)
                       0x02013403,   // ld s0, 32(sp)
                       0x03010113},  // addi sp, sp, 48
          .save = {0xff010113,       // addi sp, sp, -16
                   0x00113423},      // sd ra, 8(sp)
          .restore = {0x00813083,    // ld ra, 8(sp)
                      0x01010113},   // addi sp, sp, 16
          .ret = 0x00008067,
          .nop = 0x00000013,
          .trap = 0x00100073,  // ebreak
          .invalid = 0x00000000,
          .store = 0x00a13423,          // sd a0, 8(sp)
          .store_below = 0xfea13c23,    // sd a0, -8(sp)
          .load = 0x00053583,           // ld a1, 0(a0)
          .clobber_link = 0x00408093};  // addi ra, ra, 4
}

}  // namespace plumb::machine
