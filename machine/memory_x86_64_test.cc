// SPDX-License-Identifier: GPL-2.0-or-later
//
// Stores, faults, padding, registers at entry; and that no run depends on what ran before it.
#include <cstring>
#include <string>

#include "core/guest.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

TEST_F(MachineX86_64, RecordsStoresToTheStack) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x83, 0xec, 0x20, 0x41, 0x55});  // sub rsp, 32; push r13
  const std::uint64_t body = t.here();
  t.slot(bpf_mov(0, 1)).bytes({0x66, 0xc7, 0x45, 0xf8, 1, 0});  // mov word [rbp - 8], 1
  t.slot(bpf_mov(0, 1))
      .bytes({0xc6, 0x84, 0x24, 0, 0xff, 0xff, 0xff, 7});  // mov byte [rsp - 256], 7
  t.slot(bpf_call_helper(7)).call_helper(7);
  t.slot(bpf_exit()).bytes({0x41, 0x5d, 0xc9, 0xc3}).body_end();  // pop r13; leave; ret
  const MachineRun& r = run(t);
  ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
  const std::uint64_t entry = t.image.entry;
  const std::uint64_t frame = r.entry_sp - 8;
  struct Row {
    std::uint64_t pc, address, sp;
    int size;
    bool is_push;
  };
  const Row rows[] = {{entry, frame, r.entry_sp, 8, true},
                      {entry + 8, frame - 40, frame - 32, 8, true},
                      {body, frame - 8, frame - 40, 2, false},
                      {body + 6, frame - 40 - 256, frame - 40, 1, false},
                      {body + 14, frame - 48, frame - 40, 8, true}};
  ASSERT_EQ(r.accesses.size(), std::size(rows));
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    const StackAccess& access = r.accesses[i];
    EXPECT_EQ(access.pc, rows[i].pc) << i;
    EXPECT_EQ(access.address, rows[i].address) << i;
    EXPECT_EQ(access.sp, rows[i].sp) << i;
    EXPECT_EQ(access.size, rows[i].size) << i;
    EXPECT_EQ(access.is_push, rows[i].is_push) << i;
    EXPECT_EQ(access.kind, AccessKind::kWrite) << i;
    EXPECT_EQ(access.activation, 0u) << i;
  }
  EXPECT_EQ(r.lowest_sp, frame - 40 - 256);
  EXPECT_EQ(r.activations[0].r10, frame);
}

// The emulator does not know the address of an atomic instruction by itself.
TEST_F(MachineX86_64, KnowsWhereAnAtomicInstructionStores) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x83, 0xec, 0x20});  // sub rsp, 32
  const Insn atomic{.opcode = 0xdb, .dst = 10, .src = 0, .offset = -8, .immediate = 0xe1};
  t.slot(bpf_mov(0, 1)).bytes({0xb8, 1, 0, 0, 0});  // mov eax, 1
  const std::uint64_t exchange = t.here();
  t.slot(atomic).bytes({0x48, 0x87, 0x45, 0xf8});  // xchg [rbp - 8], rax
  const std::uint64_t add = t.here();
  t.slot(atomic).bytes({0xf0, 0x48, 0x0f, 0xc1, 0x45, 0xf8});  // lock xadd [rbp - 8], rax
  t.exit().body_end();
  const MachineRun& r = run(t);
  ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
  ASSERT_EQ(r.accesses.size(), 3u);
  EXPECT_EQ(r.accesses[1].pc, exchange);
  EXPECT_EQ(r.accesses[2].pc, add);
  EXPECT_EQ(r.activations[0].r10, r.entry_sp - 8);
}

TEST_F(MachineX86_64, RecordsReadsOfTheStackAtFullDepth) {
  TestImage t(arena_);
  straight_return(t);
  EXPECT_EQ(run(t).accesses.size(), 1u);
  const MachineRun& r = run(t, kFullRun);
  ASSERT_EQ(r.accesses.size(), 3u);  // push rbp; leave; ret
  EXPECT_EQ(r.accesses[0].kind, AccessKind::kWrite);
  EXPECT_EQ(r.accesses[1].kind, AccessKind::kRead);
  EXPECT_EQ(r.accesses[1].address, r.entry_sp - 8);
  EXPECT_EQ(r.accesses[2].address, r.entry_sp);
  EXPECT_EQ(r.accesses[2].pc, t.here() - 1);
  EXPECT_EQ(r.instructions, 5u);
}

TEST_F(MachineX86_64, PoisonsEveryRegisterThatIsNoArgument) {
  TestImage t(arena_);
  straight_return(t);
  const MachineRun& r = run(t);
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == kRsp || i == kRbp || i == kRdi) continue;
    EXPECT_GT(r.entry_registers[i] >> 32, 33u) << i;
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(r.entry_registers[i], r.entry_registers[j]);
  }
  EXPECT_EQ(r.entry_registers[kRbp], kPoisonFramePointer);
  EXPECT_EQ(r.entry_registers[kRdi], guest::context_address(t.value.context.size()));
  EXPECT_EQ(r.entry_registers[kRsp], r.entry_sp);
}

TEST_F(MachineX86_64, WritesObjectsAndSeesDamageBesideThem) {
  struct Row {
    int displacement;  // mov byte [rdi + displacement], 0x42
    bool intact;
    StopReason stop;
  };
  const Row rows[] = {{0, true, StopReason::kReturned},   {12, true, StopReason::kReturned},
                      {13, false, StopReason::kReturned},  // 13 bytes of context, rounded to 16
                      {15, false, StopReason::kReturned}, {-1, false, StopReason::kReturned},
                      {16, true, StopReason::kFault}};
  for (const Row& row : rows) {
    TestImage t(arena_);
    t.value.context.assign(13, 0x11);
    t.place();
    around(t, {0xc6, 0x47, row.displacement & 0xff, 0x42});
    const MachineRun& r = run(t);
    EXPECT_EQ(r.stop, row.stop) << row.displacement;
    EXPECT_EQ(r.object_padding_intact, row.intact) << row.displacement;
    std::vector<std::uint8_t> expected(13, 0x11);
    if (row.displacement >= 0 && row.displacement < 13) {
      expected[static_cast<std::size_t>(row.displacement)] = 0x42;
    }
    EXPECT_EQ(r.context, expected);
  }
}

TEST_F(MachineX86_64, KnowsTheExactAddressOfAFault) {
  struct Row {
    const char* name;
    std::vector<int> code;
    std::uint64_t address;
    const char* detail;
  };
  const std::uint64_t context_end = guest::kContextPage + guest::kPage;
  const Row rows[] = {
      {"load", {0x48, 0x8b, 0x47, 0x10}, context_end, "read of context +16 at "},
      {"store", {0x48, 0x89, 0x47, 0x10}, context_end, "write to context +16 at "},
      {"store to the arena",
       {0x48, 0x89, 0x04, 0x25, 0, 0, 0, 0x50},
       kTestArenaAddress,
       "write to stub of helper 0 at "},
      // Of 64 bits Unicorn tells the 52 that an x86-64 has for physical addresses.
      {"load from nowhere", {0x48, 0x8b, 0x03}, 0x00070003'7e570003, "read of memory that belongs"},
  };
  for (const Row& row : rows) {
    TestImage t(arena_);
    t.function(0, 0);
    t.prologue();
    t.slot(bpf_mov(0, 1)).bytes({0x90, 0x90, 0x90});
    const std::uint64_t place = t.here();
    t.bytes(row.code);
    t.exit().body_end();
    for (const RunOptions& options : {kFastRun, kFullRun}) {
      const MachineRun& r = run(t, options);
      EXPECT_EQ(r.stop, StopReason::kFault) << row.name;
      EXPECT_EQ(r.fault_pc, place) << row.name;
      EXPECT_EQ(r.fault_address, row.address) << row.name;
      EXPECT_TRUE(r.detail.starts_with(row.detail)) << r.detail;
    }
  }
}

// ---- nothing depends on what ran before ----

// Everything that a run recorded, as text.
std::string dump(const MachineRun& r) {
  std::string text;
  const auto add = [&text](const auto& value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  add(r.stop);
  text += r.detail;
  for (const std::uint64_t v :
       {r.fault_pc, r.fault_address, r.result, r.entry_sp, r.exit_sp, r.lowest_sp, r.instructions,
        std::uint64_t{r.tail_calls}, r.caller_stack_changed}) {
    add(v);
  }
  add(r.entry_registers);
  add(r.exit_registers);
  text.append(r.context.begin(), r.context.end());
  for (const auto& region : r.regions) text.append(region.begin(), region.end());
  add(r.object_padding_intact);
  for (const MachineEvent& e : r.events) {
    for (const std::uint64_t v :
         {static_cast<std::uint64_t>(e.kind), std::uint64_t{e.activation},
          static_cast<std::uint64_t>(e.at.slot), static_cast<std::uint64_t>(e.target), e.pc, e.sp,
          static_cast<std::uint64_t>(e.entered), static_cast<std::uint64_t>(e.call),
          static_cast<std::uint64_t>(e.shadow), std::uint64_t{e.chain_begin},
          std::uint64_t{e.chain_size}}) {
      add(v);
    }
    add(e.registers);
  }
  for (const Activation& a : r.activations) {
    for (const std::uint64_t v : {a.entry_sp, a.return_address, a.r10}) add(v);
  }
  for (const FrameRecord& f : r.frames) add(f);
  for (const StackAccess& a : r.accesses) {
    for (const std::uint64_t v : {a.pc, a.address, a.sp, a.value, std::uint64_t{a.size}}) add(v);
  }
  for (const ShadowFrame& s : r.shadow) {
    for (const std::uint64_t v : {s.return_address, s.sp, static_cast<std::uint64_t>(s.parent),
                                  std::uint64_t{s.activation}}) {
      add(v);
    }
  }
  for (const MachineStep& s : r.steps) {
    for (const std::uint64_t v : {s.pc, s.sp, s.fp, s.lr, static_cast<std::uint64_t>(s.shadow)}) {
      add(v);
    }
  }
  return text;
}

// Returns what stood in the stack far below, in a scratch register, and in the flags; leaves dirt.
void dirty(TestImage& t, int value) {
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 1)).bytes({0x48, 0x8b, 0x85, 0, 0xf0, 0xff, 0xff});  // mov rax, [rbp - 4096]
  t.slot(bpf_mov(0, 1)).bytes({0x48, 0x11, 0xd8});                       // adc rax, rbx
  t.slot(bpf_mov(0, 1)).bytes({0x48, 0xc7, 0x85, 0, 0xf0, 0xff, 0xff, value, 0, 0, 0});
  t.slot(bpf_mov(0, 1)).bytes({0xc6, 0x07, value, 0xc6, 0x47, 0xff, value});  // the context
  t.slot(bpf_mov(0, 1)).bytes({0xbb, value, 0, 0, 0, 0xf9, 0xfd});  // mov ebx, value; stc; std
  t.slot(bpf_call_helper(7)).call_helper(7);
  t.exit().body_end();
}

TEST_F(MachineX86_64, GivesTheSameRunWhateverRanBefore) {
  const auto first = [this](const RunOptions& options) {
    TestImage t(arena_);
    dirty(t, 3);
    return dump(run(t, options));
  };
  const std::string fast = first(kFastRun);
  const std::string full = first(kFullRun);
  EXPECT_NE(fast, full);
  {
    TestImage t(arena_);
    dirty(t, 99);
    EXPECT_NE(dump(run(t)), fast);
    TestImage clean(arena_);
    straight_return(clean);
    EXPECT_EQ(run(clean).stop, StopReason::kReturned);
    dirty(t = TestImage(arena_), 99);
    static_cast<void>(machine_->run_bare(t.value, t.image, kFastRun));
  }
  EXPECT_EQ(first(kFastRun), fast);
  EXPECT_EQ(first(kFullRun), full);
  {
    TestImage t(arena_);
    around(t, {0x0f, 0x0b});  // ud2
    EXPECT_EQ(run(t).stop, StopReason::kInvalidInsn);
    TestImage endless(arena_);
    around(endless, {0xeb, 0xfe});  // jmp to itself
    EXPECT_EQ(run(endless).stop, StopReason::kBudget);
  }
  EXPECT_EQ(first(kFastRun), fast);
  machine_ = make_machine(Arch::kX86_64);
  EXPECT_EQ(first(kFastRun), fast);
}

TEST_F(MachineX86_64, RunsNewCodeAtAnOldAddress) {
  for (int i = 0; i < 200; ++i) {
    TestImage t(arena_);
    straight_return(t, i % 100);
    EXPECT_EQ(run(t).result, static_cast<std::uint64_t>(i % 100));
    EXPECT_EQ(run(t).result, static_cast<std::uint64_t>(i % 100));
    EXPECT_EQ(run(t, kFullRun).result, static_cast<std::uint64_t>(i % 100));
    EXPECT_EQ(machine_->run_bare(t.value, t.image, kFastRun), static_cast<std::uint64_t>(i % 100));
  }
}

// The emulator translates what a wild jump reaches, even when nothing of it runs.
TEST_F(MachineX86_64, RunsNewCodeWhereOnlyAWildJumpHasBeen) {
  TestImage wild(arena_);
  around(wild, {0xe9, 0xf3, 0x0f, 0, 0});
  const std::uint64_t reached = wild.image.entry + 0x1000;
  EXPECT_EQ(run(wild).fault_address, reached);
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 1)).jump(reached);
  while (t.here() < reached) t.bytes({0x90});
  t.bytes({0xb8, 5, 0, 0, 0});  // mov eax, 5
  t.exit().body_end();
  EXPECT_EQ(run(t).result, 5u) << run(t).detail;
}

TEST_F(MachineX86_64, StaysTheSameWhenTheEngineIsRenewed) {
  constexpr int kRuns = 20'010;  // the engine is replaced after 20,000
  TestImage t(arena_);
  dirty(t, 3);
  const std::string expected = dump(run(t));
  for (int i = 0; i < kRuns; ++i) static_cast<void>(run(t));
  EXPECT_EQ(dump(run(t)), expected);
}

TEST_F(MachineX86_64, ServesSeveralArenasAndOneThatWasOpenedAgain) {
  TestImage t(arena_);
  dirty(t, 3);
  const std::string expected = dump(run(t));
  constexpr std::uint64_t kOther = 0x52000000;
  for (int i = 0; i < 3; ++i) {
    TestArena other(kOther + (i == 2 ? TestArena::kSize / 2 : 0));  // the last one overlaps
    TestImage u(other);
    dirty(u, i);
    EXPECT_EQ(run(u).stop, StopReason::kReturned) << run(u).detail;
    EXPECT_EQ(kinds(run(u)), (Kinds{kHelperCall, kExit}));
  }
  EXPECT_EQ(dump(run(t)), expected);
}

}  // namespace
}  // namespace plumb::machine
