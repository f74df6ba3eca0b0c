// SPDX-License-Identifier: GPL-2.0-or-later
//
// What only riscv64 has: instructions of two lengths.
#include "machine/testing_code.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineRiscv64 : public testing::Test {
 protected:
  TestCode code_ = test_code(Arch::kRiscv64);
  TestArena arena_{kTestArenaAddress};
  std::unique_ptr<Machine> machine_ = make_machine(Arch::kRiscv64);
};

TEST_F(MachineRiscv64, KnowsCompressedCallsAndReturns) {
  TestImage t(arena_, Arch::kRiscv64);
  const std::uint64_t sub = t.function(0, 0) + 0x100;
  t.words(code_.prologue).slot(bpf_mov(2, 0)).words(code_.loop_arguments(sub));
  const std::uint64_t call_at = t.here();
  t.slot(bpf_call_function(1)).bytes({0x82, 0x95});                         // c.jalr a1
  t.slot(bpf_exit()).words(code_.epilogue).bytes({0x82, 0x80}).body_end();  // c.jr ra
  while (t.here() < sub) t.bytes({1, 0});                                   // c.nop
  t.image.functions[0].size = 0x80;
  t.function(0, 1);
  t.slot(bpf_mov(0, 9)).bytes({0x25, 0x45});  // c.li a0, 9
  t.slot(bpf_exit()).bytes({0x82, 0x80}).body_end();
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = machine_->run(t.value, t.image, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    ASSERT_EQ(kinds(r), (Kinds{kCall, kReturn, kExit}));
    EXPECT_EQ(r.events[0].pc, call_at + 2);
    EXPECT_EQ(r.result, 9u);
  }
}

TEST_F(MachineRiscv64, NamesACompressedTrap) {
  TestImage t(arena_, Arch::kRiscv64);
  t.function(0, 0);
  t.slot(bpf_mov(0, 0)).bytes({1, 0, 2, 0x90});  // c.nop; c.ebreak
  t.slot(bpf_exit()).bytes({0x82, 0x80}).body_end();
  const MachineRun& r = machine_->run(t.value, t.image, kFastRun);
  EXPECT_EQ(r.stop, StopReason::kInvalidInsn);
  EXPECT_EQ(r.fault_pc, arena_.code() + 2);
}

}  // namespace
}  // namespace plumb::machine
