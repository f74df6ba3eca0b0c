// SPDX-License-Identifier: GPL-2.0-or-later
//
// The C function that calls BPF functions back: what it leaves in registers, and what it keeps.
#include <algorithm>

#include "core/helper_model.h"
#include "machine/c_routine.h"
#include "machine/testing_any_arch.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineLoop : public MachineAnyArch {
 protected:
  // main: r0 = bpf_loop(count, each, 99, flags)   each: r0 = value; exit
  TestImage looping(std::uint32_t count, std::uint32_t flags, int value = 0) const {
    TestImage t = image();
    open(t, 0, 0);
    loop(t, 0, 1, count, flags);
    exit(t);
    open(t, 0, 1);
    set_result(t, value);
    exit(t);
    return t;
  }
  // The registers, by number, that no C caller leaves as it likes: the stack pointer, the frame
  // pointer, the link, what is reserved for the platform's threads, a zero.
  [[nodiscard]] std::vector<int> reserved() const {
    switch (GetParam()) {
      case Arch::kX86_64:
        return {4, 5};
      case Arch::kArm64:
        return {29, 30, 31};
      case Arch::kRiscv64:
        break;
    }
    return {0, 1, 2, 3, 4, 8};
  }
  [[nodiscard]] int registers() const { return is_x86() ? 16 : 32; }
};

INSTANTIATE_TEST_SUITE_P(Archs, MachineLoop,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

// The tail-call counter's register (rax, x26, a6) among them.
TEST_P(MachineLoop, ScramblesEveryRegisterThatIsNoArgumentBeforeEachCallback) {
  const TestImage t = looping(3, 0);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.result, 3u);
    std::uint64_t index = 0;
    for (const MachineEvent& event : r.events) {
      if (event.kind != kCallback) continue;
      const auto& bpf = t.image.registers.bpf;
      const std::uint64_t arguments[] = {index++, 99, 0, 0, 0};
      for (std::size_t i = 0; i < std::size(arguments); ++i) {
        EXPECT_EQ(event.registers[bpf[i + 1].number()], arguments[i]);
      }
      int unscrambled = 0;
      for (int i = 0; i < registers(); ++i) {
        const bool is_argument =
            std::any_of(bpf.begin() + 1, bpf.begin() + 6,
                        [i](NativeRegister native) { return native.number() == i; });
        if (is_argument || std::ranges::count(reserved(), i) != 0) continue;
        const std::uint64_t value = event.registers[static_cast<std::size_t>(i)];
        if (value != kScrambledRegister + static_cast<std::uint64_t>(i)) ++unscrambled;
      }
      // On arm64 and riscv64 one register holds the address to call.
      EXPECT_EQ(unscrambled, is_x86() ? 0 : 1);
    }
    EXPECT_EQ(index, 3u);
  }
}

TEST_P(MachineLoop, RestoresEveryCalleeSavedRegister) {
  for (const std::uint32_t flags : {0u, 1u}) {
    const TestImage t = looping(2, flags);
    for (const RunOptions& options : kEveryDepth) {
      const MachineRun& r = run(t, options);
      ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
      EXPECT_EQ(r.events[0].kind, kHelperCall);
      const std::uint32_t callee_saved = GetParam() == Arch::kX86_64  ? 0xf028
                                         : GetParam() == Arch::kArm64 ? 0x3ff8'0000
                                                                      : 0x0ffc'0300;
      int looked_at = 0;
      for (std::size_t i = 0; i < 32; ++i) {
        if ((callee_saved >> i & 1) == 0) continue;
        ++looked_at;
        EXPECT_EQ(r.exit_registers[i], r.entry_registers[i]) << i;
      }
      EXPECT_EQ(looked_at, GetParam() == Arch::kX86_64 ? 6 : GetParam() == Arch::kArm64 ? 11 : 12);
    }
  }
}

TEST_P(MachineLoop, RefusesFlagsAndTooManyIterations) {
  struct Row {
    std::uint32_t count;
    std::uint32_t flags;
    std::uint64_t result;
  };
  const Row rows[] = {{0, 0, 0},
                      {5, 1, kLoopBadFlags},
                      {kMaxLoopIterations + 1, 1, kLoopBadFlags},
                      {kMaxLoopIterations + 1, 0, kLoopTooBig}};
  for (const Row& row : rows) {
    const TestImage t = looping(row.count, row.flags);
    const MachineRun& r = run(t, kFastRun);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.events[0].kind, kHelperCall);
    EXPECT_EQ(r.events.size(), 2u);
    // R0 of the helper is in the ABI's result register, which the program does not move here.
    EXPECT_EQ(r.result, row.result);
    EXPECT_EQ(machine_->run_bare(t.value, t.image, kFastRun), row.result);
  }
}

TEST_P(MachineLoop, EndsWhenACallbackSaysSo) {
  const TestImage t = looping(5, 0, 1);
  EXPECT_EQ(run(t, kFastRun).result, 1u);
}

// riscv64 has no flags.
class MachineLoopFlags : public MachineLoop {};
INSTANTIATE_TEST_SUITE_P(Archs, MachineLoopFlags, testing::Values(Arch::kX86_64, Arch::kArm64),
                         arch_test_name);

// The overflow flag, which a comparison of the index with the bound would leave clear.
TEST_P(MachineLoopFlags, ScramblesTheFlags) {
  TestImage t = image();
  open(t, 0, 0);
  loop(t, 0, 1, 5);
  exit(t);
  t.skip_to(address_of(0, 1));
  t.function(0, 1);
  if (is_x86()) {
    t.prologue().slot(bpf_mov(0, 1));
    t.bytes({0xb8, 0, 0, 0, 0, 0x0f, 0x90, 0xc0});  // mov eax, 0; seto al
  } else {
    t.words(code_.prologue).slot(bpf_mov(0, 1)).words({0x9a9f77e0});  // cset x0, vs
  }
  exit(t);
  EXPECT_EQ(run(t, kFastRun).result, 1u);
}

// What a callback leaves in a register does not reach the next one, nor the program.
TEST_P(MachineLoop, KeepsNothingOfACallbacksRegisters) {
  const TestImage t = looping(2, 0);
  const MachineRun& r = run(t, kFastRun);
  ASSERT_EQ(r.events.back().kind, kExit);
  for (int number = 1; number <= 5; ++number) {
    const std::uint8_t native = t.image.registers.bpf[static_cast<std::size_t>(number)].number();
    if (GetParam() == Arch::kArm64 && native == 0) continue;  // x0 and a0 hold the result, too
    if (GetParam() == Arch::kRiscv64 && native == 10) continue;
    EXPECT_GT(r.exit_registers[native] >> 32, 0u) << number;
  }
}

}  // namespace
}  // namespace plumb::machine
