// SPDX-License-Identifier: GPL-2.0-or-later
// What the verifier does to instructions for the JIT of every architecture.
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

class LinuxRewrite : public LinuxPlugin {};

INSTANTIATE_TEST_SUITE_P(Plugins, LinuxRewrite,
                         testing::Values(kNewName, kOldName, kNewArm64, kOldArm64, kNewRiscv64,
                                         kOldRiscv64),
                         test_name);

// R0 zero-extended by itself, as each JIT writes it.
Bytes zero_extension(uint32_t arch) {
  switch (arch) {
    case PLUMB_ARCH_X86_64:
      return {0x89, 0xc0};  // mov eax, eax
    case PLUMB_ARCH_ARM64:
      return {0xe7, 0x00, 0x00, 0x11};  // mov w7, w7
    default:
      return {0x93, 0x97, 0x07, 0x02, 0x93, 0xd7, 0x07, 0x02};  // slli, srli a5, a5, 32
  }
}

Bytes code_of_slot(const Loaded& loaded, uint32_t slot) {
  const plumb_native_function& f = loaded.function(0, 0);
  const Bytes code = loaded.code();
  return {code.begin() + f.insn_offsets[slot], code.begin() + f.insn_offsets[slot + 1]};
}

// opt_subreg_zext_lo32_rnd_hi32(): some CPUs do not write the register when the comparison holds.
TEST_P(LinuxRewrite, CompareAndExchangeOf32BitsZeroExtendsR0) {
  for (const bool is_32_bit : {true, false}) {
    const uint8_t opcode = is_32_bit ? 0xc3 : 0xdb;
    const Request request(one_function(
        {mov(0, -1), mov(2, 1), store(2, -8), insn(opcode, 10, 2, -8, 0xf1), exit_insn()}, 8));
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    const Bytes code = code_of_slot(loaded, 3), wanted = zero_extension(api_->info->arch);
    ASSERT_GT(code.size(), wanted.size());
    EXPECT_EQ(std::equal(wanted.rbegin(), wanted.rend(), code.rbegin()), is_32_bit);
  }
}

// Every slot still has its own code where a rewritten one before it takes several.
TEST_P(LinuxRewrite, OffsetsFollowInsertedInstructions) {
  const Code code = {mov(0, -1), mov(2, 1),  store(2, -8), insn(0xc3, 10, 2, -8, 0xf1),
                     mov(0, 5),  exit_insn()};
  const Request request(one_function(code, 8));
  const Request shorter(
      one_function({mov(0, -1), mov(2, 1), store(2, -8), mov(0, 5), exit_insn()}, 8));
  const Loaded loaded(api_, request), without(api_, shorter);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  ASSERT_EQ(without.status, PLUMB_LOADED) << without.message;
  EXPECT_EQ(code_of_slot(loaded, 4), code_of_slot(without, 3));
}

}  // namespace
}  // namespace plumb_linux_test
