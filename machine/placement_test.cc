// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images whose addresses somebody else has chosen.
#include <algorithm>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/testing_any_arch.h"

namespace plumb::machine {
namespace {

using enum EventKind;

constexpr std::uint64_t kStubs = kTestArenaAddress + 0x80000;

// Nothing lies where guest::placement() has it, but for the code.
void move(Placement& placement, bool moves_stubs) {
  placement.stack = {0x7100'0000'0000, 0x8000};
  placement.exit = 0x7200'0000'0ff0;
  placement.context = 0x7300'0000'0100;  // in the middle of its page
  placement.regions = {0x7400'0000'0008};
  placement.per_cpu = 0x7500'0000'0000;
  if (!moves_stubs) return;
  placement.stubs = {kStubs, 0x8000};
  placement.helpers = {{kStubs + 0x1238, 7}, {kStubs + 0x1244, kLoopHelper}, {kStubs + 0x2000, 5}};
  placement.routines = kStubs + 0x6000;
}

class MachinePlacement : public MachineAnyArch {
 protected:
  // main: calls sub; calls helper 5; r0 = 3   sub: tail-calls second   second.main: loop each
  // second.each: calls helper 7; r0 = 0
  template <typename Place>
  TestImage program(const Place& place) const {
    TestImage t = image();
    t.value.regions = {{"map", {1, 2, 3, 4, 5, 6, 7, 8}}};
    t.place();
    place(t.image.placement);
    open(t, 0, 0);
    call_function(t, 0, 1);
    call_helper(t, 5);
    set_result(t, 3);
    exit(t);
    open(t, 0, 1);
    tail_call(t, 1);
    exit(t);
    open(t, 1, 0);
    loop(t, 1, 1);
    exit(t);
    open(t, 1, 1);
    call_helper(t, 7);
    set_result(t, 0);
    exit(t);
    return t;
  }
  TestImage usual() const {
    return program([](Placement&) {});
  }
};

INSTANTIATE_TEST_SUITE_P(Archs, MachinePlacement,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         arch_test_name);

TEST_P(MachinePlacement, ARunIsTheSameWhereverThingsLie) {
  for (const RunOptions& options : kEveryDepth) {
    const TestImage first = usual();
    const MachineRun expected = run(first, options);
    ASSERT_EQ(expected.stop, StopReason::kReturned) << expected.detail;
    ASSERT_EQ(expected.events.size(), 12u);
    for (const bool moves_stubs : {false, true}) {
      const TestImage t = program([&](Placement& placement) { move(placement, moves_stubs); });
      const MachineRun& r = run(t, options);
      ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
      EXPECT_EQ(r.result, expected.result);
      EXPECT_EQ(r.instructions, expected.instructions);
      EXPECT_EQ(r.context, expected.context);
      EXPECT_EQ(r.regions, expected.regions);
      EXPECT_TRUE(r.object_padding_intact);
      EXPECT_EQ(r.caller_stack_changed, 0u);
      EXPECT_EQ(kinds(r), kinds(expected));
      EXPECT_EQ(r.entry_sp, 0x7100'0000'7c00 - call_pushes());
      EXPECT_EQ(r.entry_registers[t.image.registers.bpf[1].number()], t.image.placement.context);
      EXPECT_EQ(r.events.back().pc, t.image.placement.exit);
      EXPECT_EQ(r.shadow.front().return_address, t.image.placement.exit);
      const std::uint64_t moved = r.entry_sp - expected.entry_sp;
      for (std::size_t i = 0; i < r.events.size(); ++i) {
        EXPECT_EQ(r.events[i].at, expected.events[i].at) << i;
        EXPECT_EQ(r.events[i].target, expected.events[i].target) << i;
        EXPECT_EQ(r.events[i].entered, expected.events[i].entered) << i;
        EXPECT_EQ(r.events[i].chain_size, expected.events[i].chain_size) << i;
        EXPECT_EQ(r.events[i].sp, expected.events[i].sp + moved) << i;
      }
      ASSERT_EQ(r.accesses.size(), expected.accesses.size());
      for (std::size_t i = 0; i < r.accesses.size(); ++i) {
        EXPECT_EQ(r.accesses[i].pc, expected.accesses[i].pc) << i;
        EXPECT_EQ(r.accesses[i].address, expected.accesses[i].address + moved) << i;
      }
      EXPECT_EQ(machine_->run_bare(t.value, t.image, options), 3u);
      // And back, with the same machine.
      EXPECT_EQ(run(usual(), options).entry_sp, expected.entry_sp);
    }
  }
}

TEST_P(MachinePlacement, WhatIsNotPlacedIsNotThere) {
  const auto stops_at = [this](std::uint64_t address, bool moves) {
    TestImage t = image();
    if (moves) move(t.image.placement, false);
    open(t, 0, 0);
    load_from(t, address);
    exit(t);
    const MachineRun& r = run(t, kFullRun);
    return r.stop == StopReason::kFault && r.fault_address == address;
  };
  const TestImage t = image();
  const Placement& ours = t.image.placement;
  const std::uint64_t addresses[] = {ours.stack.address, ours.context, ours.per_cpu};
  for (const std::uint64_t address : addresses) {
    EXPECT_FALSE(stops_at(address, false)) << std::hex << address;
    EXPECT_TRUE(stops_at(address, true)) << std::hex << address;
    EXPECT_FALSE(stops_at(address, false)) << std::hex << address;
  }
}

TEST_P(MachinePlacement, RefusesWhatCannotBe) {
  struct Row {
    const char* detail;
    void (*change)(Placement&);
  };
  const Row rows[] = {
      {"a stack of a size or at an address that cannot be",
       [](Placement& p) { p.stack.size = 0x7ff0; }},
      {"a stack of a size or at an address that cannot be",
       [](Placement& p) { p.stack.size = 0x100000; }},
      {"per-CPU data that is no page", [](Placement& p) { p.per_cpu += 8; }},
      {"a context that fits nowhere", [](Placement& p) { p.context = 0x7300'0000'0ff8; }},
      {"a region that fits nowhere", [](Placement& p) { p.regions[0] = 0; }},
      {"stubs outside their range", [](Placement& p) { p.helpers[0].address = kStubs - 8; }},
      {"stubs outside their range", [](Placement& p) { p.routines = kStubs - 8; }},
      {"no room for the code of helpers", [](Placement& p) { p.routines = kStubs + 0x7ff0; }},
      {"a function outside all memory", [](Placement& p) { p.memory.clear(); }},
      {"code in the way of data", [](Placement& p) { p.stack.address = p.stubs.address; }},
  };
  const TestImage good = program([](Placement& p) { move(p, true); });
  for (const Row& row : rows) {
    TestImage t = good;
    row.change(t.image.placement);
    const MachineRun& r = run(t, kFastRun);
    EXPECT_EQ(r.stop, StopReason::kEmulatorFailed) << row.detail;
    EXPECT_EQ(r.detail, row.detail);
    EXPECT_EQ(run(good, kFastRun).stop, StopReason::kReturned);
  }
}

TEST_P(MachinePlacement, RefusesALoopThatItsStubCannotReach) {
  const TestImage good = program([](Placement& p) { move(p, true); });
  TestImage t = good;
  t.image.placement.stubs.size = 0x1'0000'0000;
  t.image.placement.routines = kStubs + 0xf000'0000;
  const MachineRun& r = run(t, kFastRun);
  EXPECT_EQ(r.stop, StopReason::kEmulatorFailed);
  EXPECT_EQ(r.detail, "a helper's stub is out of reach of its code");
  EXPECT_EQ(run(good, kFastRun).stop, StopReason::kReturned);
}

TEST_P(MachinePlacement, StopsBesideTheStubsOfHelpers) {
  TestImage t = program([](Placement& p) { move(p, true); });
  TestImage u = image();
  u.image.placement = t.image.placement;
  open(u, 0, 0);
  u.slot(bpf_call_helper(7));
  call(u, kStubs + 0x1240);
  exit(u);
  const MachineRun& r = run(u, kFastRun);
  // Zeros are no instruction of RISC-V, and the emulator says so before it says anything else.
  const bool is_trap = GetParam() == Arch::kRiscv64;
  EXPECT_EQ(r.stop, is_trap ? StopReason::kInvalidInsn : StopReason::kWildJump);
  EXPECT_NE(r.detail.find(" at between the stubs of helpers"), std::string::npos) << r.detail;
}

}  // namespace
}  // namespace plumb::machine
