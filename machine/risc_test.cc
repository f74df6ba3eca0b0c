// SPDX-License-Identifier: GPL-2.0-or-later
//
// The machines of arm64 and riscv64, where calls leave their return address in a register.
#include <algorithm>
#include <bit>
#include <string>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/testing_code.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

constexpr RunOptions kRuns[] = {kFastRun, kFullRun};

std::string arch_test_name(const testing::TestParamInfo<Arch>& info) {
  return info.param == Arch::kArm64 ? "Arm64" : "Riscv64";
}

class MachineRisc : public testing::TestWithParam<Arch> {
 protected:
  const MachineRun& run(const TestImage& t, const RunOptions& options = kFastRun) {
    return machine_->run(t.value, t.image, options);
  }
  TestImage image() const { return TestImage(arena_, GetParam()); }
  void exit(TestImage& t) const {
    t.slot(bpf_exit()).words(code_.epilogue).words({code_.ret}).body_end();
  }
  void call(TestImage& t, std::uint64_t target) const { t.words({code_.call(t.here(), target)}); }
  void jump(TestImage& t, std::uint64_t target) const { t.words({code_.jump(t.here(), target)}); }
  // main: prologue; code; exit
  TestImage around(const Words& code) const {
    TestImage t = image();
    t.function(0, 0);
    t.words(code_.prologue).slot(bpf_mov(0, 1)).words(code);
    exit(t);
    return t;
  }
  static std::uint64_t at(const RegisterFile& registers, int number) {
    return registers[static_cast<std::size_t>(number)];
  }

  TestCode code_ = test_code(GetParam());
  TestArena arena_{kTestArenaAddress};
  std::unique_ptr<Machine> machine_ = make_machine(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Archs, MachineRisc, testing::Values(Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachineRisc, EntersAsTheKernelDoesAndReturns) {
  const TestImage t = around(code_.load_result(7));
  for (const RunOptions& options : kRuns) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), (Kinds{kExit}));
    EXPECT_EQ(r.result, 7u);
    EXPECT_EQ(r.exit_sp, r.entry_sp);
    EXPECT_EQ(r.entry_sp % 16, 0u);
    EXPECT_EQ(at(r.entry_registers, t.image.registers.bpf[1].number()), guest::context_address(16));
    EXPECT_EQ(at(r.entry_registers, code_.link), guest::kExitAddress);
    EXPECT_EQ(at(r.entry_registers, code_.frame_pointer), kPoisonFramePointer);
    EXPECT_EQ(at(r.exit_registers, code_.preserved), at(r.entry_registers, code_.preserved));
    EXPECT_GT(at(r.entry_registers, code_.preserved) >> 32, 0u);
    EXPECT_EQ(r.lowest_sp, r.entry_sp - 16);  // of what was written
    EXPECT_EQ(machine_->run_bare(t.value, t.image, options), 7u);
  }
}

TEST_P(MachineRisc, SeesCallsReturnsAndTheChainOfRecords) {
  TestImage t = image();
  const std::uint64_t main = t.function(0, 0);
  t.words(code_.prologue);
  const std::uint64_t sub = main + 0x100;
  const std::uint64_t call_at = t.here();
  t.slot(bpf_call_function(1));
  call(t, sub);
  exit(t);
  while (t.here() < sub) t.words({code_.nop});
  t.image.functions[0].size = 0x40;
  t.function(0, 1);
  t.words(code_.prologue).slot(bpf_call_helper(7));
  call(t, t.stub(7));
  exit(t);
  for (const RunOptions& options : kRuns) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    ASSERT_EQ(kinds(r), (Kinds{kCall, kHelperCall, kReturn, kExit}));
    const MachineEvent& called = r.events[0];
    EXPECT_EQ(called.target, 1);
    EXPECT_EQ(called.pc, call_at + 4);
    EXPECT_EQ(called.sp, r.entry_sp - code_.frame_size);
    EXPECT_EQ(r.events[2].pc, call_at + 4);
    EXPECT_EQ(r.events[2].sp, called.sp);
    EXPECT_EQ(r.events[2].at, called.at);
    ASSERT_EQ(r.activations.size(), 2u);
    EXPECT_EQ(r.activations[1].entry_sp, called.sp);
    EXPECT_EQ(r.activations[1].return_address, call_at + 4);
    ASSERT_EQ(called.chain_size, 1u);
    EXPECT_EQ(r.frames[called.chain_begin].return_address, guest::kExitAddress);
    ASSERT_EQ(r.events[1].chain_size, 2u);
    const FrameRecord* frames = &r.frames[r.events[1].chain_begin];
    EXPECT_EQ(frames[0].return_address, call_at + 4);
    EXPECT_EQ(frames[0].saved, frames[1].frame_pointer);
    EXPECT_EQ(frames[1].return_address, guest::kExitAddress);
    EXPECT_EQ(frames[1].saved, kPoisonFramePointer);
  }
}

TEST_P(MachineRisc, HelpersGiveAResultAndScrambleWhatTheyMayDestroy) {
  TestImage t = image();
  t.function(0, 0);
  t.words(code_.prologue).slot(bpf_mov(0, 0)).words(code_.load_preserved(5));
  for (int i = 0; i < 2; ++i) {
    t.slot(bpf_call_helper(7));
    call(t, t.stub(7));
  }
  exit(t);
  const MachineRun& r = run(t);
  ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
  ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kHelperCall, kExit}));
  const HelperCall first{.number = 7, .ordinal = 0, .scalars = {}, .read = {}, .write = {}};
  EXPECT_EQ(at(r.events[1].registers, code_.result), run_helper(first));
  // AAPCS64: x1 ... x18; RISC-V psABI: t0-t2, a1-a7, t3-t6.
  const std::uint32_t scrambled = GetParam() == Arch::kArm64 ? 0x0007fffe : 0xf003f8e0;
  std::uint32_t changed = 0;
  for (int i = 0; i < kMaxNativeRegisters; ++i) {
    if (at(r.events[0].registers, i) != at(r.events[1].registers, i)) changed |= 1u << i;
  }
  EXPECT_EQ(changed & ~(1u << code_.result) & ~(1u << code_.link), scrambled);
  EXPECT_EQ(at(r.events[1].registers, code_.preserved), 5u);
}

// A callee may leave what it likes in the bytes below the stack pointer.
TEST_P(MachineRisc, HelpersDestroyTheStackBelowTheStackPointer) {
  TestImage t = image();
  t.function(0, 0);
  t.words(code_.prologue).slot(bpf_mov(0, 0)).words({code_.store_below}).slot(bpf_call_helper(7));
  call(t, t.stub(7));
  exit(t);
  const MachineRun& r = run(t);
  ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
  const StackAccess& store = r.accesses.back();
  EXPECT_EQ(store.address, store.sp - 8);
  EXPECT_FALSE(store.is_push);
  EXPECT_EQ(r.lowest_sp, store.address);
}

TEST_P(MachineRisc, KnowsWhichInstructionStores) {
  TestImage t = around({code_.nop, code_.store, code_.nop});
  const std::uint64_t store_at = t.here() - 4 * (code_.epilogue.size() + 1) - 8;
  for (const RunOptions& options : kRuns) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    std::vector<StackAccess> writes;
    std::ranges::copy_if(r.accesses, std::back_inserter(writes),
                         [](const StackAccess& a) { return a.kind == AccessKind::kWrite; });
    ASSERT_EQ(writes.size(), 3u);
    const bool pushes = GetParam() == Arch::kArm64;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(writes[static_cast<std::size_t>(i)].is_push, pushes);
      EXPECT_LT(writes[static_cast<std::size_t>(i)].pc, t.image.entry + 12);
    }
    EXPECT_EQ(writes[0].sp, pushes ? r.entry_sp : r.entry_sp - 48);
    EXPECT_EQ(writes[2].pc, store_at);
    EXPECT_EQ(writes[2].address, writes[2].sp + 8);
    EXPECT_EQ(writes[2].size, 8);
    EXPECT_FALSE(writes[2].is_push);
  }
}

// main tail-calls itself for ever; the landing is behind the prologue's first instruction.
TEST_P(MachineRisc, CountsTailCallsAndStopsAtTheBound) {
  TestImage t = image();
  t.function(0, 0);
  t.words({code_.nop});
  const std::uint64_t landing = t.here();
  t.tail_call_entry().words(code_.prologue).slot(bpf_call_helper(kTailCallHelper));
  t.words(code_.epilogue);
  jump(t, landing);
  exit(t);
  for (const RunOptions& options : kRuns) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kTailCallBound) << r.detail;
    EXPECT_EQ(r.tail_calls, 34u);
    ASSERT_EQ(r.activations.size(), 35u);
    EXPECT_EQ(r.events[0].kind, kTailCallTaken);
    EXPECT_EQ(r.events[0].sp, r.entry_sp);
    EXPECT_EQ(r.activations[1].replaced, 0);
    EXPECT_EQ(r.activations[1].return_address, guest::kExitAddress);
  }
}

TEST_P(MachineRisc, SeesARefusedTailCall) {
  TestImage t = image();
  t.function(0, 0);
  t.words(code_.prologue).slot(bpf_call_helper(kTailCallHelper)).words({code_.nop});
  exit(t);
  for (const RunOptions& options : kRuns) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), (Kinds{kTailCallRefused, kExit}));
  }
}

TEST_P(MachineRisc, TheLoopHelperCallsBack) {
  std::vector<std::uint64_t> aliases{0};
  if (GetParam() == Arch::kArm64) aliases.push_back(kCodeAlias);
  for (const std::uint64_t alias : aliases) {
    TestImage t = image();
    const std::uint64_t main = t.function(0, 0);
    const std::uint64_t each = main + 0x100;
    t.words(code_.prologue).slot(bpf_mov(1, 2)).words(code_.loop_arguments(alias | each));
    t.slot(bpf_call_helper(kLoopHelper));
    call(t, t.stub(kLoopHelper));
    exit(t);
    while (t.here() < each) t.words({code_.nop});
    t.image.functions[0].size = 0x60;
    t.function(0, 1);
    t.words(code_.prologue).slot(bpf_mov(0, 0)).words(code_.load_result(0));
    exit(t);
    for (const RunOptions& options : kRuns) {
      const MachineRun& r = run(t, options);
      ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
      ASSERT_EQ(kinds(r), (Kinds{kHelperCall, kCallback, kReturn, kCallback, kReturn, kExit}));
      EXPECT_EQ(r.result, 2u);
      const RegisterMap& map = t.image.registers;
      EXPECT_EQ(at(r.events[1].registers, map.bpf[1].number()), 0u);
      EXPECT_EQ(at(r.events[3].registers, map.bpf[1].number()), 1u);
      EXPECT_EQ(at(r.events[3].registers, map.bpf[2].number()), 99u);
      EXPECT_EQ(at(r.events[3].registers, map.bpf[5].number()), 0u);
      // The helper's own record, then main's.
      ASSERT_EQ(r.events[1].chain_size, 2u);
      EXPECT_EQ(r.frames[r.events[1].chain_begin].return_address, r.events[0].pc);
      EXPECT_EQ(r.exit_sp, r.entry_sp);
      for (const int number : {code_.preserved, code_.frame_pointer}) {
        EXPECT_EQ(at(r.exit_registers, number), at(r.entry_registers, number)) << number;
      }
    }
    EXPECT_EQ(machine_->run_bare(t.value, t.image, kFastRun), 2u);
  }
}

TEST_P(MachineRisc, NamesTheInstructionThatFaults) {
  for (const RunOptions& options : kRuns) {
    Words code = code_.load_result(64);
    code.insert(code.end(), {code_.nop, code_.load, code_.nop});
    const TestImage t = around(code);
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kFault) << r.detail;
    EXPECT_EQ(r.fault_address, 64u);
    EXPECT_EQ(r.fault_pc, t.image.entry + 4 * (code_.prologue.size() + 2));
  }
}

TEST_P(MachineRisc, StopsAtTrapsAndInvalidInstructions) {
  for (const std::uint32_t word : {code_.trap, code_.invalid}) {
    for (const RunOptions& options : kRuns) {
      const TestImage t = around({code_.nop, word, code_.nop});
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.stop, StopReason::kInvalidInsn) << std::hex << word << r.detail;
      EXPECT_EQ(r.fault_pc, t.image.entry + 4 * (code_.prologue.size() + 1)) << r.detail;
    }
  }
}

TEST_P(MachineRisc, StopsWhereNothingMayArrive) {
  struct Row {
    const char* name;
    std::uint64_t target;  // offset in the second function
    bool is_call;
    const char* detail;
  };
  const Row rows[] = {{"call into a body", 4, true, "a call landed inside"},
                      {"jump into another body", 4, false, "a jump landed inside"},
                      {"jump to an entry", 0, false, "a jump landed inside"}};
  for (const Row& row : rows) {
    for (const RunOptions& options : kRuns) {
      SCOPED_TRACE(row.name);
      TestImage t = image();
      const std::uint64_t sub = t.function(0, 0) + 0x100;
      t.words(code_.prologue).slot(bpf_mov(0, 0));
      const std::uint64_t from = t.here();
      t.words(
          {row.is_call ? code_.call(from, sub + row.target) : code_.jump(from, sub + row.target)});
      exit(t);
      while (t.here() < sub) t.words({code_.nop});
      t.image.functions[0].size = 0x40;
      t.function(0, 1);
      t.words(code_.prologue);
      exit(t);
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.stop, StopReason::kWildJump);
      EXPECT_NE(r.detail.find(row.detail), std::string::npos) << r.detail;
    }
  }
}

TEST_P(MachineRisc, StopsAtAReturnToTheWrongPlace) {
  TestImage t = image();
  const std::uint64_t sub = t.function(0, 0) + 0x100;
  t.words(code_.prologue).slot(bpf_call_function(1));
  call(t, sub);
  t.slot(bpf_mov(0, 0)).words({code_.nop, code_.nop});
  exit(t);
  while (t.here() < sub) t.words({code_.nop});
  t.image.functions[0].size = 0x40;
  t.function(0, 1);
  t.slot(bpf_mov(0, 0)).words({code_.clobber_link});
  t.slot(bpf_exit()).words({code_.ret}).body_end();
  for (const RunOptions& options : kRuns) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kWildJump);
    EXPECT_NE(r.detail.find("a return landed at"), std::string::npos) << r.detail;
  }
}

TEST_P(MachineRisc, RunsWhatTheCodeIsNow) {
  for (const std::uint32_t value : {1u, 2u, 3u}) {
    const TestImage t = around(code_.load_result(value));
    for (const RunOptions& options : kRuns) EXPECT_EQ(run(t, options).result, value);
    EXPECT_EQ(machine_->run_bare(t.value, t.image, kFastRun), value);
  }
}

TEST_P(MachineRisc, EndsARunThatDoesNotEnd) {
  TestImage t = image();
  t.function(0, 0);
  t.slot(bpf_goto(-1));
  jump(t, t.here());
  exit(t);
  for (const RunOptions& options : kRuns) EXPECT_EQ(run(t, options).stop, StopReason::kBudget);
}

}  // namespace
}  // namespace plumb::machine
