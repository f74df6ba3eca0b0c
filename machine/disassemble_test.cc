// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "machine/machine.h"

namespace plumb::machine {
namespace {

struct Row {
  Arch arch;
  std::vector<std::uint8_t> bytes;
  std::vector<std::string> texts;
};

TEST(Disassemble, GivesAddressBytesAndTextOfEveryInstruction) {
  const Row rows[] = {
      {Arch::kX86_64,
       {0x55, 0x48, 0x89, 0xe5, 0x06, 0xc9, 0xc3},  // 06: push es, gone in 64-bit mode
       {"push rbp", "mov rbp, rsp", ".byte 0x06", "leave", "ret"}},
      {Arch::kX86_64, {0x48, 0x8b}, {".byte 0x48", ".byte 0x8b"}},  // cut off
      {Arch::kX86_64, {}, {}},
      {Arch::kArm64,
       {0xfd, 0x7b, 0xbf, 0xa9, 0xc0, 0x03, 0x5f, 0xd6},
       {"stp x29, x30, [sp, #-0x10]!", "ret"}},
      {Arch::kArm64, {0x01, 0x00, 0x00}, {".byte 0x01", ".byte 0x00", ".byte 0x00"}},  // cut off
      {Arch::kArm64, {0x00, 0x00, 0x00, 0xff}, {".word 0xff000000"}},
      {Arch::kRiscv64, {0x00, 0x80, 0x13, 0x01}, {".half 0x8000", ".byte 0x13", ".byte 0x01"}},
#ifdef PLUMB_HAVE_LLVM
      // What Capstone 4 has not: atomics, pointer authentication, RISC-V.
      {Arch::kArm64,
       {0x41, 0x80, 0xe0, 0xb8, 0x3f, 0x23, 0x03, 0xd5, 0xff, 0x0b, 0x5f, 0xd6},
       {"swpal w0, w1, [x2]", "paciasp", "retaa"}},
      {Arch::kRiscv64,
       {0x13, 0x01, 0x01, 0xfd, 0x23, 0x34, 0x11, 0x02, 0x82, 0x80},
       {"addi sp, sp, -48", "sd ra, 40(sp)", "ret"}},
#endif
  };
  for (const Row& row : rows) {
    constexpr std::uint64_t kAddress = 0x4000'1000;
    const auto insns = disassemble(row.arch, row.bytes, kAddress);
    std::vector<std::string> texts;
    std::vector<std::uint8_t> bytes;
    for (const DisassembledInsn& insn : insns) {
      EXPECT_EQ(insn.address, kAddress + bytes.size());
      texts.push_back(insn.text);
      bytes.insert(bytes.end(), insn.bytes.begin(), insn.bytes.end());
    }
    EXPECT_EQ(texts, row.texts);
    EXPECT_EQ(bytes, row.bytes);
  }
}

#ifdef PLUMB_HAVE_LLVM
TEST(Disassemble, NamesTheTargetsOfRiscvBranchesByAddress) {
  // bnez a3, 64; j -4; jal ra, 8; jr t3
  const std::vector<std::uint8_t> words = {0x63, 0x90, 0x06, 0x04, 0x6f, 0xf0, 0xdf, 0xff,
                                           0xef, 0x00, 0x80, 0x00, 0x67, 0x00, 0x0e, 0x00};
  constexpr std::uint64_t kAddress = 0x4000'1000;
  const auto insns = disassemble(Arch::kRiscv64, words, kAddress);
  ASSERT_EQ(insns.size(), 4u);
  EXPECT_EQ(insns[0].text, fmt::format("bnez a3, {:#x}", kAddress + 64));
  EXPECT_EQ(insns[1].text, fmt::format("j {:#x}", kAddress));
  EXPECT_EQ(insns[2].text, fmt::format("jal {:#x}", kAddress + 16));
  EXPECT_EQ(insns[3].text, "jr t3");
}
#endif

}  // namespace
}  // namespace plumb::machine
