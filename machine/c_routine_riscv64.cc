// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include "machine/c_routine.h"

namespace plumb::machine {
namespace {

// AsmJit knows no RISC-V: the few forms that are needed, by the manual's volume 1, chapter 34
// (RV32/64G instruction set listings). c_routine_test.cc compares the words with llvm-mc's.
constexpr std::uint32_t kRa = 1, kSp = 2, kT1 = 6, kS0 = 8, kS1 = 9, kS2 = 18;
constexpr std::uint32_t kZero = 0;

constexpr std::uint32_t i_type(std::uint32_t opcode, std::uint32_t function, std::uint32_t rd,
                               std::uint32_t rs, int immediate) {
  return static_cast<std::uint32_t>(immediate) << 20 | rs << 15 | function << 12 | rd << 7 | opcode;
}
constexpr std::uint32_t addi(std::uint32_t rd, std::uint32_t rs, int immediate) {
  return i_type(0x13, 0, rd, rs, immediate);
}
constexpr std::uint32_t ld(std::uint32_t rd, int offset, std::uint32_t base) {
  return i_type(0x03, 3, rd, base, offset);
}
constexpr std::uint32_t jalr(std::uint32_t rd, std::uint32_t base) {
  return i_type(0x67, 0, rd, base, 0);
}
constexpr std::uint32_t sd(std::uint32_t reg, int offset, std::uint32_t base) {
  const auto bits = static_cast<std::uint32_t>(offset);
  return (bits >> 5 & 0x7f) << 25 | reg << 20 | base << 15 | 3 << 12 | (bits & 0x1f) << 7 | 0x23;
}
constexpr std::uint32_t beqz(std::uint32_t reg, int distance) {
  const auto bits = static_cast<std::uint32_t>(distance);
  return (bits >> 12 & 1) << 31 | (bits >> 5 & 0x3f) << 25 | reg << 15 | (bits >> 1 & 0xf) << 8 |
         (bits >> 11 & 1) << 7 | 0x63;
}
constexpr std::uint32_t j(int distance) {
  const auto bits = static_cast<std::uint32_t>(distance);
  return (bits >> 20 & 1) << 31 | (bits >> 1 & 0x3ff) << 21 | (bits >> 11 & 1) << 20 |
         (bits >> 12 & 0xff) << 12 | kZero << 7 | 0x6f;
}

// The record is right below what s0 points at, then s1 ... s11, the state, the arguments.
constexpr std::array<std::uint32_t, 11> kSaved = {kS1, kS2, 19, 20, 21, 22, 23, 24, 25, 26, 27};
constexpr int kSavedBytes = 8 * static_cast<int>(kSaved.size());
constexpr int kStateBelow = 16 + kSavedBytes + 8 * kStateWords;
constexpr int kFrame = (kStateBelow + 8 * kOutgoingWords + 15) / 16 * 16;

}  // namespace

CRoutine c_routine_riscv64() {
  CRoutine routine;
  routine.target_register = kT1;
  routine.state_below = kStateBelow;
  std::vector<std::uint32_t> words{addi(kSp, kSp, -kFrame), sd(kRa, kFrame - 8, kSp),
                                   sd(kS0, kFrame - 16, kSp), addi(kS0, kSp, kFrame)};
  int below = 16;
  for (const std::uint32_t reg : kSaved) words.push_back(sd(reg, kFrame - (below += 8), kSp));
  words.push_back(j(4));
  routine.step = 4 * words.size();
  words.push_back(beqz(kT1, 12));
  routine.call = 4 * words.size();
  words.push_back(jalr(kRa, kT1));
  words.push_back(j(-8));
  routine.end = 4 * words.size();
  words.push_back(addi(kSp, kS0, -kFrame));
  below = 16;
  for (const std::uint32_t reg : kSaved) words.push_back(ld(reg, kFrame - (below += 8), kSp));
  words.push_back(ld(kRa, kFrame - 8, kSp));
  words.push_back(ld(kS0, kFrame - 16, kSp));
  words.push_back(addi(kSp, kSp, kFrame));
  words.push_back(jalr(kZero, kRa));
  for (const std::uint32_t word : words) {
    for (int shift = 0; shift < 32; shift += 8) {
      routine.code.push_back(static_cast<std::uint8_t>(word >> shift));
    }
  }
  return routine;
}

}  // namespace plumb::machine
