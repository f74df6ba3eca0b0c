// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/c_routine.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/arch.h"
#include "machine/code_effects.h"
#include "machine/machine.h"

namespace plumb::machine {
namespace {

#ifdef PLUMB_HAVE_LLVM
// AsmJit makes the others; of these each word is our own.
TEST(CRoutine, OfRiscv64SaysToLlvmWhatItShould) {
  const CRoutine routine = c_routine_riscv64();
  std::vector<std::string> expected{"addi sp, sp, -224", "sd ra, 216(sp)", "sd s0, 208(sp)",
                                    "addi s0, sp, 224"};
  for (int i = 1; i <= 11; ++i) {
    expected.push_back("sd s" + std::to_string(i) + ", " + std::to_string(208 - 8 * i) + "(sp)");
  }
  expected.insert(expected.end(),
                  {"j 0x40", "beqz t1, 0x4c", "jalr t1", "j 0x40", "addi sp, s0, -224"});
  for (int i = 1; i <= 11; ++i) {
    expected.push_back("ld s" + std::to_string(i) + ", " + std::to_string(208 - 8 * i) + "(sp)");
  }
  expected.insert(expected.end(), {"ld ra, 216(sp)", "ld s0, 208(sp)", "addi sp, sp, 224", "ret"});
  std::vector<std::string> texts;
  for (const auto& insn : disassemble(Arch::kRiscv64, routine.code, 0)) texts.push_back(insn.text);
  EXPECT_EQ(texts, expected);
}
#endif

TEST(CRoutine, HasItsThreePlacesAtBeginningsOfBlocks) {
  const std::pair<Arch, CRoutine> rows[] = {{Arch::kX86_64, c_routine_x86_64()},
                                            {Arch::kArm64, c_routine_arm64()},
                                            {Arch::kRiscv64, c_routine_riscv64()}};
  for (const auto& [arch, routine] : rows) {
    SCOPED_TRACE(arch_name(arch));
    const auto code = code_effects(arch, routine.code, 0);
    for (const std::uint64_t place : {routine.step, routine.call, routine.end}) {
      bool begins = false;
      for (std::size_t i = 0; i < code.size(); ++i) {
        using Flow = unwind::CodeInsn::Flow;
        const bool is_target = code[i].target == place &&
                               (code[i].flow == Flow::kJump || code[i].flow == Flow::kBranch);
        const bool is_behind =
            i + 1 < code.size() && code[i + 1].address == place && code[i].flow == Flow::kBranch;
        begins |= is_target || is_behind;
      }
      EXPECT_TRUE(begins) << place;
    }
  }
}

}  // namespace
}  // namespace plumb::machine
