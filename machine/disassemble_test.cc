// SPDX-License-Identifier: GPL-2.0-or-later
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
      {Arch::kRiscv64, {0x82, 0x80}, {".byte 0x82", ".byte 0x80"}},  // Capstone 4 has none
  };
  for (const Row& row : rows) {
    const auto address = reinterpret_cast<std::uint64_t>(row.bytes.data());
    const auto insns = disassemble(row.arch, address, row.bytes.size());
    std::vector<std::string> texts;
    std::vector<std::uint8_t> bytes;
    for (const DisassembledInsn& insn : insns) {
      EXPECT_EQ(insn.address, address + bytes.size());
      texts.push_back(insn.text);
      bytes.insert(bytes.end(), insn.bytes.begin(), insn.bytes.end());
    }
    EXPECT_EQ(texts, row.texts);
    EXPECT_EQ(bytes, row.bytes);
  }
}

}  // namespace
}  // namespace plumb::machine
