// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a row answers where it cannot look, and which violation explains another.
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/guest.h"
#include "invariants/testing_hardening.h"
#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

using Reason = NotApplicableReason;

// A program that does nothing.
BuiltRun only_exit(Arch arch) { return RunBuilder(arch).exit(5); }

// The walk at the first call goes on for so long that the machine gives up; all of it is right.
void cut_chain(BuiltRun& built) {
  constexpr std::uint32_t kRecords = 64;
  MachineEvent& call = built.event(EventKind::kCall);
  call.chain_begin = static_cast<std::uint32_t>(built.run.frames.size());
  call.chain_size = kRecords;
  call.shadow = -1;
  call.sp = guest::kStackBase;
  // Outermost first: each call's record lies below that of its caller.
  for (std::uint64_t i = 0; i <= kRecords; ++i) {
    built.run.shadow.push_back({.return_address = 0x100 + i, .sp = 0, .parent = call.shadow});
    call.shadow = static_cast<std::int32_t>(built.run.shadow.size() - 1);
  }
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    const std::uint64_t record = guest::kStackBase + 32 * i;
    built.run.frames.push_back(
        {.frame_pointer = record, .saved = record + 32, .return_address = 0x100 + kRecords - i});
  }
}

// More registers saved by one prologue than any machine has.
void save_too_much(BuiltRun& built) {
  StackAccess save = built.run.accesses.front();
  save.pc = built.image.entry + 1;
  save.activation = 0;
  save.event = -1;
  for (std::uint64_t i = 0; i < 200; ++i) {
    save.address = guest::kStackBase + 8 * i;
    built.run.accesses.insert(built.run.accesses.begin(), save);
  }
}

void move_stack_elsewhere(BuiltRun& built) {
  for (NativeFunction& function : built.image.functions) {
    if (function.program != 1) continue;
    function.r10_register = 9;
    built.run.activations[2].r10 = 0x1234'0000;
  }
  const auto index = &built.store(2) - built.run.accesses.data();
  built.run.accesses.erase(built.run.accesses.begin() + index);
}

struct Row {
  const char* name;
  const char* invariant;
  Reason reason;
  std::function<BuiltRun()> build;
};

std::function<BuiltRun()> changed(void (*change)(BuiltRun&), Arch arch = Arch::kX86_64) {
  return [=] {
    BuiltRun built = good_run(arch);
    change(built);
    return built;
  };
}

const std::vector<Row>& rows() {
  using enum EventKind;
  const auto nothing = [] { return only_exit(Arch::kX86_64); };
  const auto good = [] { return good_run(); };
  static const std::vector<Row> table{
      {"reads are not seen", "no-live-data-below-sp", Reason::kDepth, good},
      {"a program that does nothing", "fp-chain-walkable", Reason::kNoCalls, nothing},
      {"a program that does nothing", "fp-chain-matches-calls", Reason::kNoCalls, nothing},
      {"a program that does nothing", "sp-aligned-at-call", Reason::kNoCalls, nothing},
      {"a program that does nothing", "r10-stable", Reason::kNoCalls, nothing},
      {"a program that does nothing", "r6-r9-survive-calls", Reason::kNoBpfCalls, nothing},
      {"a program that does nothing", "tail-call-bound", Reason::kNoTailCalls, nothing},
      {"a program that does nothing", "tail-call-count-matches-oracle", Reason::kNoTailCalls,
       nothing},
      {"a program that does nothing", "refused-tail-call-falls-through", Reason::kNoRefusedTailCall,
       nothing},
      {"no instruction is seen", "unwind-matches-shadow-stack", Reason::kNoWalk,
       changed([](BuiltRun& b) { b.run.steps.clear(); })},
      {"no unwinder is told anything", "interrupt-frame-found", Reason::kDepth,
       changed([](BuiltRun& b) { b.run.knowledge = nullptr; })},
      {"no rows and no range", "claims-hold", Reason::kNoClaims, good},
      {"one tail call", "stack-growth-bounded", Reason::kNoTailCallChain, good},
      {"a program that does nothing", "bpf-stack-in-frame", Reason::kNoBpfStore, nothing},
      {"a program that does nothing", "same-stores", Reason::kNoBpfStore, nothing},
      {"no function has a stack", "bpf-stack-disjoint-from-saved-area", Reason::kNoBpfStack,
       changed([](BuiltRun& b) {
         for (NativeFunction& function : b.image.functions) function.stack_size = 0;
       })},
      {"no prologue stores", "saved-slots-unwritten", Reason::kNoSavedSlot,
       changed([](BuiltRun& b) { b.run.accesses.clear(); })},
      {"nothing throws", "throw-reaches-boundary", Reason::kNoThrow, good},
      {"nothing is stored", "stores-are-accounted-for", Reason::kNoStackAccess,
       changed([](BuiltRun& b) { b.run.accesses.clear(); })},
      {"the count is in a register", "tail-call-counter-intact", Reason::kNoCounter,
       [] { return good_run(Arch::kRiscv64); }},
      {"no pads", "indirect-target-has-landing-pad", Reason::kNoLandingRule, good},
      {"pads and no landing", "indirect-target-has-landing-pad", Reason::kNoLanding,
       changed([](BuiltRun& b) { b.image.landing.pad = LandingPad::kEndbr64; })},
      {"nothing is blinded", "constants-blinded", Reason::kNotBlinded, good},
      {"only small constants", "constants-blinded", Reason::kNoConstant, changed([](BuiltRun& b) {
         harden(b);
         for (Program& program : b.value.programs) {
           for (Function& function : program.functions) function.insns[0].immediate = 1;
         }
       })},
      {"nothing is signed", "return-address-authenticated", Reason::kNotSigned, good},
      {"nothing returns", "return-address-authenticated", Reason::kNoReturn,
       changed(
           [](BuiltRun& b) {
             harden(b);
             b.run.returns.clear();
           },
           Arch::kArm64)},
      {"no hashes", "cfi-hash-matches-kind", Reason::kNoHashes, good},
      {"x86-64 aligns nothing", "sp-aligned-at-access", Reason::kNoAlignmentRule, good},
      {"no entry for tail calls", "sp-balanced", Reason::kLandingUnknown,
       changed([](BuiltRun& b) { b.image.functions[0].tail_call_entry.reset(); }, Arch::kArm64)},
      {"a frame without R10", "r10-stable", Reason::kR10Unknown,
       changed([](BuiltRun& b) { b.run.activations[0].r10 = 0; }, Arch::kArm64)},
      {"a frame without R10", "bpf-stack-in-frame", Reason::kR10Unknown,
       changed([](BuiltRun& b) { b.run.activations[0].r10 = 0; }, Arch::kArm64)},
      {"a frame without R10", "bpf-stack-disjoint-from-saved-area", Reason::kR10Unknown,
       changed([](BuiltRun& b) { b.run.activations[0].r10 = 0; }, Arch::kArm64)},
      {"a frame without R10", "same-stores", Reason::kValueUnknown,
       changed([](BuiltRun& b) { b.run.activations[0].r10 = 0; }, Arch::kRiscv64)},
      {"a frame without R10", "same-events", Reason::kValueUnknown,
       changed([](BuiltRun& b) { b.run.activations[0].r10 = 0; }, Arch::kArm64)},
      {"a pointer into a frame that never was", "same-result", Reason::kValueUnknown,
       changed([](BuiltRun& b) { b.execution.result = Value::pointer(Space::kStack, 99, -8); })},
      {"a pointer into a frame that never was", "same-memory", Reason::kValueUnknown,
       changed([](BuiltRun& b) {
         b.execution.regions[0].pointers[0].value = Value::pointer(Space::kStack, 99, -8);
       })},
      {"a private stack", "same-stores", Reason::kStackElsewhere, changed(move_stack_elsewhere)},
      {"a chain that is cut", "fp-chain-walkable", Reason::kChainCut, changed(cut_chain)},
      {"a chain that is cut", "fp-chain-matches-calls", Reason::kChainCut, changed(cut_chain)},
      {"200 saved registers", "saved-slots-unwritten", Reason::kTableFull, changed(save_too_much)},
      {"34 tail calls", "sp-aligned-at-call", Reason::kBoundBroken,
       [] { return tail_call_chain(34); }},
      {"the budget is spent", "sp-aligned-at-call", Reason::kStopped,
       changed([](BuiltRun& b) { b.run.stop = StopReason::kBudget; })},
      {"the budget is spent", "same-result", Reason::kStopped,
       changed([](BuiltRun& b) { b.run.stop = StopReason::kBudget; })},
      {"the budget is spent", "same-memory", Reason::kStopped,
       changed([](BuiltRun& b) { b.run.stop = StopReason::kBudget; })},
      {"the budget is spent", "same-stores", Reason::kStopped,
       changed([](BuiltRun& b) { b.run.stop = StopReason::kBudget; })},
      {"the budget is spent", "callee-saved-preserved", Reason::kStopped,
       changed([](BuiltRun& b) { b.run.stop = StopReason::kBudget; })},
      {"no chain", "fp-chain-walkable", Reason::kNoChain,
       changed([](BuiltRun& b) { b.image.registers.frame_pointer = NativeRegister::none(); })},
      {"who knows what heads the chain", "return-address-intact", Reason::kFramePointerUnknown,
       changed([](BuiltRun& b) { b.image.registers.frame_pointer = {}; }, Arch::kArm64)},
      {"a function without offsets", "saved-slots-unwritten", Reason::kOffsetsUnknown,
       changed([](BuiltRun& b) { b.image.functions[2].insn_offsets.clear(); })},
      {"a function without offsets has a refused tail call", "refused-tail-call-falls-through",
       Reason::kOffsetsUnknown, changed([](BuiltRun& b) {
         b.image.functions[3].insn_offsets.clear();
         b.run.events.erase(b.run.events.begin() +
                            static_cast<std::ptrdiff_t>(b.nth(kTailCallRefused)));
       })},
      {"a frame of some size", "bpf-stack-in-frame", Reason::kStackSizeUnknown,
       changed([](BuiltRun& b) { b.image.functions[0].stack_size.reset(); })},
      {"a stack somewhere", "bpf-stack-disjoint-from-saved-area", Reason::kBpfStackUnknown,
       changed([](BuiltRun& b) { b.image.contract.bpf_stack = BpfStack::kUnknown; })},
      {"a stack somewhere, and R10 too", "same-stores", Reason::kBpfStackUnknown,
       changed([](BuiltRun& b) {
         b.image.contract.bpf_stack = BpfStack::kUnknown;
         b.image.registers.r10_bias.reset();
       })},
      {"R0 somewhere", "same-events", Reason::kR0RegisterUnknown,
       changed([](BuiltRun& b) { b.image.registers.bpf[0] = {}; })},
      {"R2 somewhere", "same-events", Reason::kArgumentRegistersUnknown,
       changed([](BuiltRun& b) { b.image.registers.bpf[2] = {}; })},
      {"R9 somewhere", "r6-r9-survive-calls", Reason::kSavedRegistersUnknown,
       changed([](BuiltRun& b) { b.image.registers.bpf[9] = {}; })},
      {"who knows who saves", "callee-saved-preserved", Reason::kSavedByUnknown,
       changed([](BuiltRun& b) { b.image.contract.r6_r9_saved_by = Side::kUnknown; })},
      {"R10 somewhere", "r10-stable", Reason::kR10RegisterUnknown,
       changed([](BuiltRun& b) { b.image.registers.bpf[10] = {}; })},
      {"R10 so far from its register", "r10-stable", Reason::kR10BiasUnknown,
       changed([](BuiltRun& b) { b.image.registers.r10_bias.reset(); })},
      {"who knows who moves R10", "r10-stable", Reason::kR10MovedByUnknown,
       changed([](BuiltRun& b) { b.image.contract.r10_moved_by = Side::kUnknown; })},
      {"R10 may be left alone", "r10-stable", Reason::kR10UseUnknown, changed([](BuiltRun& b) {
         b.image.contract.r10_only_where_used = Tristate::kUnknown;
         b.image.functions[3].r10_register = 12;
         b.value.programs[1].functions[0].insns[0] = b.value.programs[1].functions[0].insns[2];
       })},
      {"sp somewhere", "sp-balanced", Reason::kSpAtCallsUnknown,
       changed([](BuiltRun& b) { b.image.contract.sp_at_calls = SpAtCalls::kUnknown; })},
      {"a contract without alignment", "sp-aligned-at-call", Reason::kAlignmentUnknown,
       changed([](BuiltRun& b) { b.image.contract.call_alignment = 0; })},
      {"a result of some width", "same-result", Reason::kResultWidthUnknown,
       changed([](BuiltRun& b) { b.image.contract.result_bits = 0; })},
      {"counts that frames may keep", "tail-call-counter-intact", Reason::kCountInFramesUnknown,
       changed(
           [](BuiltRun& b) {
             keep_count_in_frames(b);
             b.image.contract.count_in_frames = Tristate::kUnknown;
           },
           Arch::kRiscv64)},
      {"a count at a refused tail call", "tail-call-counter-intact", Reason::kEmptySlotUnknown,
       changed([](BuiltRun& b) {
         count_at_empty_slot(b);
         b.image.contract.empty_slot_consumes_count = Tristate::kUnknown;
       })},
      {"who knows about pads", "indirect-target-has-landing-pad", Reason::kLandingPadUnknown,
       changed([](BuiltRun& b) { b.image.landing.pad = LandingPad::kUnknown; })},
      {"who knows about blinding", "constants-blinded", Reason::kBlindingUnknown,
       changed([](BuiltRun& b) { b.image.code_rule.constants_blinded = Tristate::kUnknown; })},
      {"who knows about signing", "return-address-authenticated", Reason::kSigningUnknown,
       changed(
           [](BuiltRun& b) { b.image.code_rule.return_addresses_signed = Tristate::kUnknown; })},
      {"who knows about hashes", "cfi-hash-matches-kind", Reason::kHashesUnknown,
       changed([](BuiltRun& b) { b.image.code_rule.cfi.hashes = Tristate::kUnknown; })},
      {"tail calls look like branches", "same-events", Reason::kTailCallsUnseen,
       changed([](BuiltRun& b) { b.run.tail_calls_seen = false; })},
      {"the caller did not go on", "r6-r9-survive-calls", Reason::kNotSettled,
       changed([](BuiltRun& b) { b.event(kReturn).settled = false; })},
      {"an argument differs", "refused-tail-call-falls-through", Reason::kDiverged,
       changed([](BuiltRun& b) { ++b.event(kCall).registers[6]; })},
      {"an argument differs", "tail-call-count-matches-oracle", Reason::kDiverged,
       changed([](BuiltRun& b) { ++b.event(kCall).registers[6]; })},
      {"an argument differs", "same-stores", Reason::kDiverged,
       changed([](BuiltRun& b) { ++b.event(kCall).registers[6]; })},
      {"an empty slot is called", "same-events", Reason::kDiverged, changed([](BuiltRun& b) {
         Event& event = b.execution.trace[b.nth(kTailCallTaken)];
         event.kind = kTailCallRefused;
         event.reason = RefusalReason::kEmptySlot;
       })},
  };
  return table;
}

TEST(Answers, ARowThatCannotLookIsNotApplicableAndSaysWhy) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(std::string(row.invariant) + ": " + row.name);
    BuiltRun built = row.build();
    const Checked checked = check(built.subject());
    const RowAnswer answer = answer_of(checked, row.invariant);
    EXPECT_EQ(answer.kind, RowAnswer::Kind::kNotApplicable) << listing(checked.violations);
    EXPECT_EQ(answer.reason, row.reason) << reason_phrase(answer.reason);
  }
}

TEST(Answers, EveryReasonIsGivenByARow) {
  std::set<Reason> given;
  for (const Row& row : rows()) given.insert(row.reason);
  for (std::size_t i = 0; i < kNotApplicableReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_TRUE(given.contains(reason)) << reason_phrase(reason);
  }
}

TEST(Answers, ThereIsOneForEachRowOfTheTable) {
  const BuiltRun built = good_run();
  EXPECT_EQ(check(built.subject()).answers.size(), invariant_table().size());
}

// A run that was stopped holds nothing.
TEST(Answers, NothingIsHeldWhenTheRunWasStopped) {
  for (const StopReason stop : {StopReason::kBudget, StopReason::kFault, StopReason::kInvalidInsn,
                                StopReason::kWildJump, StopReason::kTailCallBound}) {
    BuiltRun built = good_run();
    built.depth = Depth::kFull;
    built.run.stop = stop;
    for (const RowAnswer& answer : check(built.subject()).answers) {
      EXPECT_NE(answer.kind, RowAnswer::Kind::kHeld) << stop_reason_name(stop);
    }
  }
}

// ---- which violation explains which ----

// The violation of that row, which there must be.
const Violation& violation_of(const Checked& checked, std::string_view invariant) {
  static const Violation none;
  for (const Violation& violation : checked.violations) {
    if (violation.invariant == invariant) return violation;
  }
  ADD_FAILURE() << invariant << " is not broken:\n" << listing(checked.violations);
  return none;
}

TEST(Answers, WhatIsSeenBehindAWrongArgumentFollowsFromIt) {
  BuiltRun built = good_run();
  ++built.event(EventKind::kCall).registers[6];
  ++built.run.result;
  ++built.run.exit_registers[3];
  const Checked checked = check(built.subject());
  ASSERT_EQ(checked.violations.size(), 3u) << listing(checked.violations);
  EXPECT_EQ(checked.violations[0].invariant, "same-events");
  EXPECT_EQ(checked.violations[0].follows, -1);
  EXPECT_EQ(violation_of(checked, "same-result").follows, 0);
  EXPECT_EQ(violation_of(checked, "callee-saved-preserved").follows, 0);
}

TEST(Answers, ABrokenChainExplainsOtherWalksAndNothingElse) {
  BuiltRun built = good_run();
  ++built.run.frames[built.event(EventKind::kCall).chain_begin].return_address;
  built.event(EventKind::kHelperCall).chain_size = 0;
  ++built.run.result;
  const Checked checked = check(built.subject());
  ASSERT_EQ(checked.violations.size(), 3u) << listing(checked.violations);
  EXPECT_EQ(checked.violations[0].invariant, "fp-chain-matches-calls");
  EXPECT_EQ(violation_of(checked, "fp-chain-walkable").follows, 0);
  EXPECT_EQ(violation_of(checked, "same-result").follows, -1);
}

TEST(Answers, AWrongResultExplainsNothing) {
  BuiltRun built = good_run();
  ++built.run.result;
  ++built.run.context[7];
  const Checked checked = check(built.subject());
  ASSERT_EQ(checked.violations.size(), 2u) << listing(checked.violations);
  EXPECT_EQ(violation_of(checked, "same-result").follows, -1);
  EXPECT_EQ(violation_of(checked, "same-memory").follows, -1);
}

// Nothing explains what was seen before it.
TEST(Answers, OnlyWhatCameBeforeExplains) {
  BuiltRun built = good_run();
  built.event(EventKind::kCall).chain_size = 0;
  ++built.event(EventKind::kReturn).registers[12];
  const Checked checked = check(built.subject());
  EXPECT_EQ(violation_of(checked, "fp-chain-walkable").follows, -1);
  EXPECT_EQ(violation_of(checked, "callee-saved-preserved").follows, -1);
}

TEST(Answers, ViolationsComeInTheOrderInWhichTheyWereSeen) {
  BuiltRun built = good_run();
  ++built.store(2).value;                              // in the tail callee,
  built.event(EventKind::kHelperCall).chain_size = 0;  // after it,
  ++built.event(EventKind::kCall).registers[6];        // before both,
  ++built.run.result;                                  // at the end
  const Checked checked = check(built.subject());
  std::vector<std::string_view> names;
  for (const Violation& violation : checked.violations) names.push_back(violation.invariant);
  ASSERT_GE(names.size(), 3u);
  EXPECT_EQ(names.front(), "same-events") << listing(checked.violations);
  EXPECT_EQ(names.back(), "same-result") << listing(checked.violations);
  for (std::size_t i = 1; i < checked.violations.size(); ++i) {
    EXPECT_LE(checked.violations[i - 1].time(), checked.violations[i].time());
  }
}

}  // namespace
}  // namespace plumb::invariants
