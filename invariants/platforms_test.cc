// SPDX-License-Identifier: GPL-2.0-or-later
//
// The invariants where arm64 and riscv64 differ from x86-64: frame records that prologues store,
// return addresses in registers, R10 apart from the frame pointer, two addresses of code.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/helper_model.h"
#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

constexpr Arch kArchs[] = {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64};

TEST(Platforms, ARunThatIsRightHolds) {
  for (const Arch arch : kArchs) {
    SCOPED_TRACE(arch_name(arch));
    for (const Depth depth : {Depth::kFast, Depth::kFull}) {
      BuiltRun built = good_run(arch);
      built.depth = depth;
      const auto violations = check(built.subject()).violations;
      EXPECT_TRUE(violations.empty()) << listing(violations);
    }
  }
}

TEST(Platforms, AChainOfThirtyThreeTailCallsHolds) {
  for (const Arch arch : kArchs) {
    SCOPED_TRACE(arch_name(arch));
    const BuiltRun built = tail_call_chain(33, arch);
    const auto violations = check(built.subject()).violations;
    EXPECT_TRUE(violations.empty()) << listing(violations);
  }
}

// In the activation's frame, so many bytes below sp on arrival.
std::uint64_t in_frame(const BuiltRun& built, std::size_t activation, std::uint64_t below) {
  return built.run.activations[activation].entry_sp - below;
}

struct Damage {
  const char* name;
  Arch arch;
  std::function<void(BuiltRun&)> apply;
  const char* invariant;
  const char* role;
};

// Activations: 0 entry.main, 1 entry.sub, 2 next.main in its place, 3 and 4 callbacks.
const std::vector<Damage>& damages() {
  using enum EventKind;
  static const std::vector<Damage> rows = {
      {"a store hits the saved x30", Arch::kArm64,
       [](BuiltRun& b) { b.store(1).address = in_frame(b, 1, 8); }, "return-address-intact",
       "subprogram"},
      {"a store hits the saved x29 of the caller", Arch::kArm64,
       [](BuiltRun& b) { b.store(1).address = in_frame(b, 0, 16); }, "saved-slots-unwritten",
       "subprogram"},
      {"a store behind a tail call hits the x29 that was saved before it", Arch::kArm64,
       [](BuiltRun& b) { b.store(2).address = in_frame(b, 1, 16); }, "saved-slots-unwritten",
       "tail-callee"},
      {"a prologue saves in its caller's return address", Arch::kArm64,
       [](BuiltRun& b) {
         for (StackAccess& access : b.run.accesses) {
           if (access.activation == 1) access.address = in_frame(b, 0, 8);
         }
       },
       "return-address-intact", "subprogram"},
      {"a tail call lands above the count", Arch::kArm64,
       [](BuiltRun& b) { b.event(kTailCallTaken).sp += 16; }, "sp-balanced", "subprogram"},
      {"the landing of a layout that pushes less", Arch::kArm64,
       [](BuiltRun& b) {
         for (NativeFunction& f : b.image.functions) f.tail_call_entry = 16;
       },
       "sp-balanced", "subprogram"},
      {"sp is 8 modulo 16 at a store", Arch::kArm64, [](BuiltRun& b) { b.store(0).sp -= 8; },
       "sp-aligned-at-access", "main"},
      {"sp is 8 modulo 16 at a store", Arch::kRiscv64, [](BuiltRun& b) { b.store(0).sp -= 8; },
       "sp-aligned-at-access", "main"},
      {"a call changes the register of the count", Arch::kArm64,
       [](BuiltRun& b) { ++b.event(kReturn).registers[26]; }, "callee-saved-preserved",
       "tail-callee"},
      {"the result stays in x7", Arch::kArm64, [](BuiltRun& b) { ++b.event(kReturn).registers[0]; },
       "same-events", "main"},
      {"a function's address is off by an instruction", Arch::kArm64,
       [](BuiltRun& b) {
         const std::size_t index = b.nth(kHelperCall, 2);
         b.execution.trace[index].args[1] = Value::pointer(Space::kFunction, 2, 0);
         b.run.events[index].registers[1] = kCodeAlias | (b.image.functions[2].address + 4);
       },
       "same-events", "main"},
      {"the record of a call in progress is damaged", Arch::kRiscv64,
       [](BuiltRun& b) { b.run.frames[b.event(kHelperCall).chain_begin].return_address += 4; },
       "fp-chain-matches-calls", "tail-callee"},
      {"a store hits the saved ra of the caller", Arch::kRiscv64,
       [](BuiltRun& b) { b.store(1).address = in_frame(b, 0, 8); }, "return-address-intact",
       "subprogram"},
      {"a store hits the saved s0 of a function that calls nothing", Arch::kRiscv64,
       [](BuiltRun& b) { b.store(1).address = in_frame(b, 1, 8); }, "saved-slots-unwritten",
       "subprogram"},
      {"a tail call leaves its frame", Arch::kRiscv64,
       [](BuiltRun& b) { b.event(kTailCallTaken).sp -= 64; }, "sp-balanced", "subprogram"},
      {"the result stays in a0", Arch::kRiscv64,
       [](BuiltRun& b) { ++b.event(kReturn).registers[15]; }, "same-events", "main"},
      {"a callback's result stays in a5", Arch::kRiscv64,
       [](BuiltRun& b) { ++b.event(kReturn, 1).registers[10]; }, "same-events", "main"},
      {"the task pointer changes", Arch::kRiscv64, [](BuiltRun& b) { ++b.run.exit_registers[4]; },
       "callee-saved-preserved", "main"},
  };
  return rows;
}

TEST(Platforms, EachDamageIsNamedByTheInvariantItBreaks) {
  for (const Damage& row : damages()) {
    SCOPED_TRACE(std::string(arch_name(row.arch)) + ": " + row.name);
    BuiltRun built = good_run(row.arch);
    row.apply(built);
    const auto violations = check(built.subject()).violations;
    ASSERT_FALSE(violations.empty());
    EXPECT_EQ(violations[0].invariant, row.invariant) << listing(violations);
    EXPECT_EQ(violations[0].role, row.role) << listing(violations);
  }
}

// What differs and is right all the same.
TEST(Platforms, LegitimateDifferencesHold) {
  using enum EventKind;
  const Damage rows[] = {
      {"a function's address in the kernel's half", Arch::kArm64,
       [](BuiltRun& b) {
         const std::size_t index = b.nth(kHelperCall, 2);
         b.execution.trace[index].args[1] = Value::pointer(Space::kFunction, 2, 0);
         b.run.events[index].registers[1] = kCodeAlias | b.image.functions[2].address;
       },
       "", ""},
      {"x7 is stale behind a call", Arch::kArm64,
       [](BuiltRun& b) { ++b.event(kReturn).registers[7]; }, "", ""},
      {"a0 is the lower half of R0 behind a call", Arch::kRiscv64,
       [](BuiltRun& b) { ++b.event(kReturn).registers[10]; }, "", ""},
      {"nobody sets up R10 where nobody uses it", Arch::kArm64,
       [](BuiltRun& b) {
         b.value.programs[0].functions[2].insns[0] = {};
         b.run.activations[3].r10 = b.run.activations[0].r10;
         std::erase_if(b.run.accesses, [](const StackAccess& a) { return a.activation == 3; });
       },
       "", ""},
  };
  for (const Damage& row : rows) {
    SCOPED_TRACE(row.name);
    BuiltRun built = good_run(row.arch);
    row.apply(built);
    const auto violations = check(built.subject()).violations;
    EXPECT_TRUE(violations.empty()) << listing(violations);
  }
}

}  // namespace
}  // namespace plumb::invariants
