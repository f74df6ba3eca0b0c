// SPDX-License-Identifier: GPL-2.0-or-later
//
// Each row of the table is seen to fail on each architecture that it says something about.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/case.h"
#include "invariants/testing_layout.h"
#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

constexpr Arch kArchs[] = {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64};

struct Damage {
  const char* invariant;  // the first one that the run then breaks
  std::function<void(BuiltRun&)> apply;
  std::vector<Arch> not_on{};  // where the row never says anything
};

std::uint8_t native(const BuiltRun& built, std::size_t number) {
  return built.image.registers.bpf[number].number();
}

void stop(BuiltRun& built, StopReason reason, std::uint64_t pc) {
  built.run.stop = reason;
  built.run.fault_pc = pc;
  built.run.events.resize(built.nth(EventKind::kReturn));
}

// The oracle has another answer at the first tail call, which the machine takes.
void refuse_in_oracle(BuiltRun& built, RefusalReason reason) {
  Event& event = built.execution.trace[built.nth(EventKind::kTailCallTaken)];
  event.kind = EventKind::kTailCallRefused;
  event.reason = reason;
  built.execution.tail_calls = 0;
}

// One more store, by the code of the last exit.
void store_in_exit(BuiltRun& built, std::uint64_t address) {
  const NativeFunction& main = built.image.functions[0];
  StackAccess access = built.store(0);
  access.pc = main.address + main.insn_offsets[5];
  access.address = address;
  access.event = static_cast<std::int32_t>(built.run.events.size()) - 2;
  built.run.accesses.push_back(access);
}

const std::vector<Damage>& damages() {
  using enum EventKind;
  static const std::vector<Damage> rows{
      {"tail-call-bound", [](BuiltRun& b) { b = tail_call_chain(34, b.image.arch); }},
      {"stack-growth-bounded",
       [](BuiltRun& b) {
         b = tail_call_chain(3, b.image.arch);
         for (int i = 0; i < 3; ++i) {
           const auto drift = static_cast<std::uint64_t>(16 * i);
           b.event(kTailCallTaken, i).sp -= drift;
           b.run.activations[static_cast<std::size_t>(i) + 2].entry_sp -= drift;
         }
       }},
      {"sp-balanced", [](BuiltRun& b) { b.run.exit_sp -= 16; }},
      {"bpf-stack-disjoint-from-saved-area",
       [](BuiltRun& b) { b.run.activations[3].r10 = b.run.activations[0].r10; }},
      {"return-address-intact", [](BuiltRun& b) { b.event(kReturn).pc += 4; }},
      {"saved-slots-unwritten",
       [](BuiltRun& b) {
         const BuiltLayout layout = built_layout(b.image.arch, true);
         b.store(0).address = b.run.entry_sp - layout.frame_pointer_below +
                              static_cast<std::uint64_t>(layout.record_saved);
       }},
      {"bpf-stack-in-frame", [](BuiltRun& b) { b.store(0).address = b.run.entry_sp + 16; }},
      {"caller-stack-unwritten",
       [](BuiltRun& b) { b.run.caller_stack_changed = b.run.entry_sp + 40; }},
      {"tail-call-counter-intact", [](BuiltRun& b) { ++b.count(0).value; }, {Arch::kRiscv64}},
      {"stores-are-accounted-for",
       [](BuiltRun& b) { store_in_exit(b, b.run.activations[0].r10 - 8); }},
      {"no-live-data-below-sp",
       [](BuiltRun& b) {
         b.depth = Depth::kFull;
         b.store(0).sp += 64;
       }},
      {"sp-aligned-at-call", [](BuiltRun& b) { b.image.contract.call_alignment = 256; }},
      {"sp-aligned-at-access", [](BuiltRun& b) { b.store(0).sp -= 8; }, {Arch::kX86_64}},
      {"r10-stable",
       [](BuiltRun& b) { b.event(kTailCallRefused, 1).registers[native(b, 10)] -= 8; }},
      {"r6-r9-survive-calls", [](BuiltRun& b) { ++b.event(kReturn).registers[native(b, 6)]; }},
      {"callee-saved-preserved", [](BuiltRun& b) { ++b.run.exit_registers[native(b, 6)]; }},
      {"fp-chain-walkable", [](BuiltRun& b) { b.event(kCall).chain_size = 0; }},
      {"fp-chain-matches-calls",
       [](BuiltRun& b) { b.run.frames[b.event(kCall).chain_begin].return_address += 4; }},
      {"refused-tail-call-falls-through",
       [](BuiltRun& b) { refuse_in_oracle(b, RefusalReason::kEmptySlot); }},
      {"tail-call-count-matches-oracle",
       [](BuiltRun& b) { refuse_in_oracle(b, RefusalReason::kLimitReached); }},
      {"lands-on-entry-or-return",
       [](BuiltRun& b) { stop(b, StopReason::kWildJump, b.image.entry + 0x104); }},
      {"indirect-target-has-landing-pad",
       [](BuiltRun& b) {
         b.image.landing.pad =
             b.image.arch == Arch::kX86_64 ? LandingPad::kEndbr64 : LandingPad::kBti;
         b.run.landings = {{.pc = b.image.entry, .word = 0, .event = -1, .is_call = true}};
       },
       {Arch::kRiscv64}},
      {"stays-in-image", [](BuiltRun& b) { stop(b, StopReason::kFault, 0x1234); }},
      {"native-fault",
       [](BuiltRun& b) { stop(b, StopReason::kInvalidInsn, b.image.entry + 0x20); }},
      {"terminates", [](BuiltRun& b) { stop(b, StopReason::kBudget, b.image.entry + 0x20); }},
      {"same-stores", [](BuiltRun& b) { ++b.store(1).value; }},
      {"same-events", [](BuiltRun& b) { ++b.event(kCall).registers[native(b, 2)]; }},
      {"same-result", [](BuiltRun& b) { ++b.run.result; }},
      {"same-memory", [](BuiltRun& b) { ++b.run.context[7]; }},
  };
  return rows;
}

TEST(Everywhere, EachDamageIsNamedByTheInvariantItBreaks) {
  for (const Arch arch : kArchs) {
    for (const Damage& row : damages()) {
      SCOPED_TRACE(std::string(arch_name(arch)) + ": " + row.invariant);
      if ((std::ranges::find(row.not_on, arch) != row.not_on.end())) continue;
      BuiltRun built = good_run(arch);
      row.apply(built);
      const Checked checked = check(built.subject());
      ASSERT_FALSE(checked.violations.empty());
      EXPECT_EQ(checked.violations[0].invariant, row.invariant) << listing(checked.violations);
      EXPECT_EQ(answer_of(checked, row.invariant).kind, RowAnswer::Kind::kViolated);
    }
  }
}

TEST(Everywhere, EveryRowOfTheTableIsSeenToFail) {
  std::set<std::string_view> seen;
  for (const Damage& row : damages()) seen.insert(row.invariant);
  for (const InvariantInfo& info : invariant_table()) {
    EXPECT_TRUE(seen.contains(info.name)) << info.name;
  }
}

TEST(Everywhere, WhereARowIsLeftOutItIsNotApplicable) {
  for (const Damage& row : damages()) {
    for (const Arch arch : row.not_on) {
      BuiltRun built = good_run(arch);
      built.depth = Depth::kFull;
      EXPECT_EQ(answer_of(check(built.subject()), row.invariant).kind,
                RowAnswer::Kind::kNotApplicable)
          << arch_name(arch) << " " << row.invariant;
    }
  }
}

// A run with everything in it: whatever can be looked at is looked at.
TEST(Everywhere, ARunThatIsRightHoldsInEveryRow) {
  const std::set<std::pair<Arch, std::string_view>> no_rule{
      {Arch::kX86_64, "indirect-target-has-landing-pad"},
      {Arch::kArm64, "indirect-target-has-landing-pad"}};
  for (const Arch arch : kArchs) {
    BuiltRun built = good_run(arch);
    built.depth = Depth::kFull;
    const Checked checked = check(built.subject());
    EXPECT_TRUE(checked.violations.empty()) << listing(checked.violations);
    for (const Damage& row : damages()) {
      const bool leaves_out = (std::ranges::find(row.not_on, arch) != row.not_on.end()) ||
                              no_rule.contains({arch, row.invariant});
      // Only one tail call is taken.
      const bool held = !leaves_out && row.invariant != std::string_view("stack-growth-bounded");
      const RowAnswer answer = answer_of(checked, row.invariant);
      EXPECT_EQ(answer.kind, held ? RowAnswer::Kind::kHeld : RowAnswer::Kind::kNotApplicable)
          << arch_name(arch) << " " << row.invariant << ": " << reason_phrase(answer.reason);
    }
  }
}

}  // namespace
}  // namespace plumb::invariants
