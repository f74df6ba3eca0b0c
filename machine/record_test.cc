// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a run records about calls in progress, values stored and single instructions.
#include <cstring>
#include <utility>
#include <vector>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/testing_any_arch.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineRecord : public MachineAnyArch {
 protected:
  // program 0: main calls sub; sub tail-calls program 1
  // program 1: main calls back each, twice; each tail-calls program 2
  // program 2: calls helper 7; r0 = 0
  TestImage everything() const {
    TestImage t = image();
    open(t, 0, 0);
    call_function(t, 0, 1);
    exit(t);
    open(t, 0, 1);
    tail_call(t, 1);
    exit(t);
    open(t, 1, 0);
    loop(t, 1, 1);
    exit(t);
    open(t, 1, 1);
    tail_call(t, 2);
    exit(t);
    open(t, 2, 0);
    call_helper(t, 7);
    set_result(t, 0);
    exit(t);
    return t;
  }
};

INSTANTIATE_TEST_SUITE_P(Archs, MachineRecord,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachineRecord, SaysWhatEachEventBeganAndEnded) {
  struct Row {
    EventKind kind;
    std::uint32_t activation;
    std::int32_t entered;
    std::int32_t call;
    std::int32_t shadow;
  };
  constexpr Row kRows[] = {
      {kCall, 0, 1, -1, 0},        {kTailCallTaken, 1, 2, -1, 1}, {kHelperCall, 2, -1, -1, 1},
      {kCallback, 2, 3, 2, 2},     {kTailCallTaken, 3, 4, -1, 3}, {kHelperCall, 4, -1, -1, 3},
      {kReturn, 2, 4, 3, 2},       {kCallback, 2, 5, 2, 2},       {kTailCallTaken, 5, 6, -1, 5},
      {kHelperCall, 6, -1, -1, 5}, {kReturn, 2, 6, 7, 2},         {kReturn, 0, 2, 0, 0},
      {kExit, 0, -1, -1, 0},
  };
  const TestImage t = everything();
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    ASSERT_EQ(r.events.size(), std::size(kRows));
    for (std::size_t i = 0; i < std::size(kRows); ++i) {
      EXPECT_EQ(r.events[i].kind, kRows[i].kind) << i;
      EXPECT_EQ(r.events[i].activation, kRows[i].activation) << i;
      EXPECT_EQ(r.events[i].entered, kRows[i].entered) << i;
      EXPECT_EQ(r.events[i].call, kRows[i].call) << i;
      EXPECT_EQ(r.events[i].shadow, kRows[i].shadow) << i;
    }
  }
}

TEST_P(MachineRecord, SaysByWhatEachActivationBegan) {
  struct Row {
    std::int32_t entered_by;
    std::int32_t helper_event;
  };
  // The tail calls out of a callback stay a callback; the tail call out of sub is none.
  constexpr Row kRows[] = {{-1, -1}, {0, -1}, {1, -1}, {3, 2}, {4, 2}, {7, 2}, {8, 2}};
  const TestImage t = everything();
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.activations.size(), std::size(kRows)) << r.detail;
    for (std::size_t i = 0; i < std::size(kRows); ++i) {
      EXPECT_EQ(r.activations[i].entered_by, kRows[i].entered_by) << i;
      EXPECT_EQ(r.activations[i].helper_event, kRows[i].helper_event) << i;
    }
  }
}

TEST_P(MachineRecord, KeepsEveryCallThatWasInProgress) {
  const TestImage t = everything();
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    const auto frame = [&](std::int32_t event, std::int32_t parent, std::uint32_t activation) {
      const MachineEvent& began = r.events[static_cast<std::size_t>(event)];
      return ShadowFrame{.return_address = began.pc,
                         .sp = began.sp - call_pushes(),
                         .parent = parent,
                         .activation = activation,
                         .event = event};
    };
    const std::vector<ShadowFrame> expected = {
        {.return_address = guest::kExitAddress, .sp = r.entry_sp},
        frame(0, 0, 1),  // sub, and what it tail-calls
        frame(2, 1, 2),  // the helper that calls back
        frame(3, 2, 3),
        frame(5, 3, 4),  // helper 7
        frame(7, 2, 5),
        frame(9, 5, 6),
    };
    EXPECT_TRUE(r.shadow == expected);
  }
}

// What an unwinder finds is what the calls in progress say, also out of a tail call in a callback.
TEST_P(MachineRecord, TheCallsInProgressAreThoseThatAWalkFinds) {
  const TestImage t = everything();
  const MachineRun& r = run(t, kFastRun);
  int events = 0;
  for (const MachineEvent& event : r.events) {
    if (event.chain_size == 0) continue;
    if (event.kind == kTailCallTaken && !is_x86()) continue;  // lands in front of the prologue
    ++events;
    std::int32_t shadow = event.shadow;
    for (std::uint32_t i = 0; i < event.chain_size; ++i) {
      ASSERT_GE(shadow, 0);
      const ShadowFrame& call = r.shadow[static_cast<std::size_t>(shadow)];
      EXPECT_EQ(r.frames[event.chain_begin + i].return_address, call.return_address);
      shadow = call.parent;
    }
    EXPECT_EQ(shadow, -1);
  }
  EXPECT_EQ(events, is_x86() ? 9 : 6);
}

TEST_P(MachineRecord, KeepsAStepForEveryInstructionAtFullDepth) {
  const TestImage t = everything();
  EXPECT_TRUE(run(t, kFastRun).steps.empty());
  const MachineRun& r = run(t, kFullRun);
  ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
  ASSERT_EQ(r.steps.size(), r.instructions);
  const std::uint64_t link = is_x86() ? 0 : guest::kExitAddress;
  EXPECT_EQ(r.steps.front(), (MachineStep{.pc = t.image.entry,
                                          .sp = r.entry_sp,
                                          .fp = kPoisonFramePointer,
                                          .lr = link,
                                          .shadow = 0,
                                          .activation = 0}));
  EXPECT_EQ(r.steps.back().shadow, 0);
  EXPECT_EQ(r.steps.back().lr, link);
  // Each frame is innermost at its first instruction, with the stack pointer and the return address
  // that it was entered with.
  std::vector<bool> seen(r.shadow.size());
  for (const MachineStep& step : r.steps) {
    const auto index = static_cast<std::size_t>(step.shadow);
    ASSERT_LT(index, r.shadow.size());
    if (seen[index]) continue;
    seen[index] = true;
    EXPECT_EQ(step.sp, r.shadow[index].sp);
    EXPECT_EQ(step.activation, r.shadow[index].activation);
    if (!is_x86()) {
      EXPECT_EQ(step.lr, r.shadow[index].return_address);
    }
  }
  for (const bool was_innermost : seen) EXPECT_TRUE(was_innermost);
  // In the helper's own code, the activation is its caller.
  for (const MachineStep& step : r.steps) {
    if (step.pc >= arena_.code()) continue;
    EXPECT_EQ(r.activations[step.activation].program, step.shadow == 2 ? 1 : 2);
  }
}

TEST_P(MachineRecord, KeepsNoStepsOfAFaultThatIsLookedAtAgain) {
  TestImage t = image();
  open(t, 0, 0);
  set_result(t, 64);
  store_above_entry(t, 0x700);  // past the stack
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kFault) << r.detail;
    EXPECT_EQ(r.steps.empty(), options.depth == Depth::kFast);
  }
}

TEST_P(MachineRecord, SaysWhatWasStored) {
  TestImage t = image();
  open(t, 0, 0);
  set_result(t, 77);
  store_above_entry(t, -24);
  call_function(t, 0, 1);
  exit(t);
  open(t, 0, 1);
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    std::vector<std::uint64_t> values;
    for (const StackAccess& access : r.accesses) {
      if (access.kind == AccessKind::kWrite) {
        values.push_back(access.value);
      } else {
        EXPECT_EQ(access.value, 0u);
      }
    }
    const std::uint64_t back = r.activations[1].return_address;
    const std::uint64_t outer = r.events[0].registers[t.image.registers.frame_pointer.number()];
    std::vector<std::uint64_t> expected;
    switch (GetParam()) {
      case Arch::kX86_64:  // push rbp; mov; call; push rbp
        expected = {kPoisonFramePointer, 77, back, outer};
        break;
      case Arch::kArm64:  // stp x29, x30; str; stp x29, x30
        expected = {kPoisonFramePointer, guest::kExitAddress, 77, outer, back};
        break;
      case Arch::kRiscv64:  // sd ra; sd s0; sd; sd ra; sd s0
        expected = {guest::kExitAddress, kPoisonFramePointer, 77, back, outer};
        break;
    }
    EXPECT_EQ(values, expected);
  }
}

TEST_P(MachineRecord, SeesAChangeOfTheCallersStack) {
  struct Row {
    int offset;  // from the stack pointer on entry
    bool is_seen;
  };
  constexpr Row kRows[] = {{8, true}, {16, true}, {512, true}, {1016, true}, {-24, false}};
  for (const Row& row : kRows) {
    for (const RunOptions& options : kEveryDepth) {
      TestImage t = image();
      open(t, 0, 0);
      set_result(t, 77);
      store_above_entry(t, row.offset);
      exit(t);
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
      const std::uint64_t address = r.entry_sp + static_cast<std::uint64_t>(row.offset);
      EXPECT_EQ(r.caller_stack_changed, row.is_seen ? address : 0) << row.offset;
      TestImage clean = image();
      open(clean, 0, 0);
      exit(clean);
      EXPECT_EQ(run(clean, options).caller_stack_changed, 0u);
    }
  }
}

// On x86-64 the return address stands there, and is a change like any other when it is replaced;
// elsewhere the caller owns the word.
TEST_P(MachineRecord, SeesAChangeWhereTheStackPointerStoodOnEntry) {
  TestImage t = image();
  open(t, 0, 0);
  set_result(t, 77);
  store_above_entry(t, 0);
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, is_x86() ? StopReason::kFault : StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.caller_stack_changed, r.entry_sp);
  }
}

// ---- values of other sizes ----

class MachineRecordRisc : public MachineRecord {};
INSTANTIATE_TEST_SUITE_P(Archs, MachineRecordRisc, testing::Values(Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

// What stands in a register above the bytes that are stored is no part of the value.
TEST_P(MachineRecordRisc, SaysWhatStoresOfOtherSizesStored) {
  constexpr std::uint32_t kArm64[] = {0x390023e0, 0x790013e0, 0xb9000be0};    // strb, strh, str w0
  constexpr std::uint32_t kRiscv64[] = {0x00a10423, 0x00a11423, 0x00a12423};  // sb, sh, sw
  TestImage t = image();
  open(t, 0, 0);
  t.slot(bpf_mov(0, 0)).words(code_.load_wide_result(0x1122'3344'5566'7788));
  for (const std::uint32_t word : GetParam() == Arch::kArm64 ? kArm64 : kRiscv64) t.words({word});
  exit(t);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    std::vector<std::pair<int, std::uint64_t>> stores;
    for (const StackAccess& access : r.accesses) {
      if (access.kind == AccessKind::kWrite) stores.emplace_back(access.size, access.value);
    }
    ASSERT_EQ(stores.size(), 5u);  // two of the prologue
    stores.erase(stores.begin(), stores.begin() + 2);
    EXPECT_EQ(stores, (std::vector<std::pair<int, std::uint64_t>>{
                          {1, 0x88}, {2, 0x7788}, {4, 0x5566'7788}}));
  }
}

TEST_F(MachineX86_64, SaysWhatStoresOfEverySizeStored) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x83, 0xec, 0x40});  // sub rsp, 64
  t.slot(bpf_mov(0, 1));
  t.bytes({0x48, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x91});  // mov rax, ...
  t.bytes({0x88, 0x45, 0xf8});                                            // mov [rbp - 8], al
  t.bytes({0x66, 0x89, 0x45, 0xf8});                                      // mov [rbp - 8], ax
  t.bytes({0x89, 0x45, 0xf8});                                            // mov [rbp - 8], eax
  t.bytes({0x48, 0x89, 0x45, 0xf8});                                      // mov [rbp - 8], rax
  const Insn atomic{.opcode = 0xdb, .dst = 10, .src = 0, .offset = -8, .immediate = 1};
  t.slot(bpf_mov(0, 2)).bytes({0xb8, 2, 0, 0, 0});              // mov eax, 2
  t.slot(atomic).bytes({0xf0, 0x48, 0x01, 0x45, 0xf8});         // lock add [rbp - 8], rax
  t.slot(bpf_mov(0, 2)).bytes({0x66, 0x48, 0x0f, 0x6e, 0xc0});  // movq xmm0, rax
  t.slot(bpf_mov(0, 2)).bytes({0x0f, 0x11, 0x45, 0xe0});        // movups [rbp - 32], xmm0
  t.exit().body_end();
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    std::vector<std::uint64_t> values;
    std::uint64_t bytes = 0;
    for (const StackAccess& access : r.accesses) {
      if (access.kind != AccessKind::kWrite) continue;
      values.push_back(access.value);
      bytes += access.size;
    }
    const std::vector<std::uint64_t> expected = {
        kPoisonFramePointer, 0x88, 0x7788, 0x55667788, 0x9122334455667788,
        0x912233445566778a,  2,    0};
    EXPECT_EQ(values, expected);
    EXPECT_EQ(bytes, 8u + 1 + 2 + 4 + 8 + 8 + 16);
  }
}

TEST_F(MachineX86_64, SaysWhatAHelperStored) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x81, 0xec, 0, 1, 0, 0});                               // sub rsp, 256
  t.slot(bpf_mov(1, 0)).bytes({0x48, 0x8d, 0xbd, 0, 0xff, 0xff, 0xff});  // lea rdi, [rbp - 256]
  t.slot(bpf_mov(2, 132)).bytes({0xbe, 132, 0, 0, 0});                   // mov esi, 132
  t.slot(bpf_call_helper(16)).call_helper(16);
  t.exit().body_end();
  std::uint8_t bytes[132] = {};
  HelperCall call{.number = 16, .ordinal = 0, .scalars = {0, 132}, .read = {}, .write = bytes};
  EXPECT_EQ(run_helper(call), 0u);
  std::uint64_t first = 0;
  std::memcpy(&first, bytes, sizeof first);
  std::uint64_t last = 0;
  std::memcpy(&last, bytes + 128, 4);
  for (const RunOptions& options : kEveryDepth) {
    const MachineRun& r = run(t, options);
    std::vector<std::uint64_t> values;
    for (const StackAccess& access : r.accesses) {
      if (access.pc == 0) values.push_back(access.value);
    }
    EXPECT_EQ(values, (std::vector<std::uint64_t>{first, last}));
  }
}

}  // namespace
}  // namespace plumb::machine
