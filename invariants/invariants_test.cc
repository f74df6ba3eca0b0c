// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/invariants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/guest.h"
#include "invariants/testing_image.h"
#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

constexpr std::size_t kRbx = 3, kRdi = 7, kR12 = 12;

constexpr std::size_t kNoEvent = ~std::size_t{0};
Landing landing(std::size_t event, std::uint32_t word, bool is_call) {
  return {.pc = 0, .word = word, .event = static_cast<std::int32_t>(event), .is_call = is_call};
}

TEST(Invariants, HoldForARunThatIsRight) {
  for (const Depth depth : {Depth::kFast, Depth::kFull}) {
    BuiltRun built = good_run();
    built.depth = depth;
    const auto violations = check(built.subject()).violations;
    EXPECT_TRUE(violations.empty()) << listing(violations);
  }
}

TEST(Invariants, HoldForAChainOfThirtyThreeTailCalls) {
  const BuiltRun built = tail_call_chain(33);
  const auto violations = check(built.subject()).violations;
  EXPECT_TRUE(violations.empty()) << listing(violations);
}

TEST(Invariants, HoldWhenUninitialisedArgumentsDiffer) {
  BuiltRun built = good_run();
  built.event(EventKind::kCall).registers[8] ^= 1;  // R5, which the oracle never saw written
  EXPECT_TRUE(check(built.subject()).violations.empty());
}

TEST(Invariants, DoNotCompareTheUpperHalfOfA32BitResult) {
  BuiltRun built = good_run();
  built.run.result |= std::uint64_t{1} << 40;
  built.image.contract.result_bits = 32;
  EXPECT_TRUE(check(built.subject()).violations.empty());
}

TEST(Invariants, DoNotCompareTheRestOfARunThatWasCutOff) {
  BuiltRun built = tail_call_chain(34);
  built.run.stop = StopReason::kTailCallBound;
  built.run.events.resize(built.nth(EventKind::kTailCallTaken, 33) + 1);
  built.run.context.clear();
  const auto violations = check(built.subject()).violations;
  ASSERT_EQ(violations.size(), 1u) << listing(violations);
  EXPECT_EQ(violations[0].invariant, "tail-call-bound");
}

void stop(BuiltRun& built, StopReason reason, std::uint64_t pc) {
  built.run.stop = reason;
  built.run.fault_pc = pc;
  built.run.events.resize(built.nth(EventKind::kReturn));
}

struct Damage {
  const char* name;
  std::function<void(BuiltRun&)> apply;
  const char* invariant;  // the first one that the run then breaks
  const char* role;
};

constexpr std::uint64_t kCode = kBuiltCode;

const std::vector<Damage>& damages() {
  static const std::vector<Damage> rows{
      {"34 tail calls", [](BuiltRun& b) { b = tail_call_chain(34); }, "tail-call-bound",
       "subprogram"},
      {"the machine stops at the bound",
       [](BuiltRun& b) { b.run.stop = StopReason::kTailCallBound; }, "tail-call-bound",
       "subprogram"},
      {"a store hits the return address", [](BuiltRun& b) { b.store(0).address = b.run.entry_sp; },
       "return-address-intact", "main"},
      {"a store in a callee hits the caller's return address",
       [](BuiltRun& b) { b.store(1).address = b.run.entry_sp + 7; }, "return-address-intact",
       "subprogram"},
      {"a function returns elsewhere", [](BuiltRun& b) { ++b.event(EventKind::kReturn).pc; },
       "return-address-intact", "tail-callee"},
      {"a store hits a register that the prologue saved",
       [](BuiltRun& b) { b.store(0).address = b.run.activations[0].r10 - 16 - 24; },
       "saved-slots-unwritten", "main"},
      {"a store in a callee hits what the caller's prologue saved",
       [](BuiltRun& b) { b.store(1).address = b.run.activations[0].r10 - 16 - 32; },
       "saved-slots-unwritten", "subprogram"},
      {"a helper writes over the counter",
       [](BuiltRun& b) {
         b.store(0).address = b.run.activations[0].r10 - 16 - 8;
         b.store(0).pc = 0;
       },
       "saved-slots-unwritten", "main"},
      {"a store hits the frame record after a tail call",
       [](BuiltRun& b) { b.store(2).address = b.run.activations[2].r10; }, "saved-slots-unwritten",
       "tail-callee"},
      {"a push in the body hits a saved register",
       [](BuiltRun& b) {
         StackAccess& access = b.store(0);
         access.address = b.run.activations[0].r10 - 16 - 24;
         access.is_push = true;
         access.pc += 0x20;  // of the call
       },
       "saved-slots-unwritten", "main"},
      {"the frame is smaller than the BPF stack",
       [](BuiltRun& b) { b.image.functions[0].stack_size = 24; },
       "bpf-stack-disjoint-from-saved-area", "main"},
      {"a callee has the caller's frame",
       [](BuiltRun& b) {
         b.run.activations[3].r10 = b.run.activations[0].r10;  // a callback, with no event in it
       },
       "bpf-stack-disjoint-from-saved-area", "callback"},
      {"a store below the frame",
       [](BuiltRun& b) {
         b.store(0).address = b.run.activations[0].r10 - 128;
         b.store(0).sp -= 128;
       },
       "bpf-stack-in-frame", "main"},
      {"a store that begins in the frame and ends behind it",
       [](BuiltRun& b) { b.store(1).address = b.run.activations[1].r10 - 12; },
       "saved-slots-unwritten", "subprogram"},
      {"a store above the stack's frames",
       [](BuiltRun& b) { b.store(0).address = b.run.entry_sp + 16; }, "bpf-stack-in-frame", "main"},
      {"the frame is not allocated", [](BuiltRun& b) { b.store(0).sp += 48; },
       "no-live-data-below-sp", "main"},
      {"each tail call leaves something behind",
       [](BuiltRun& b) {
         b = tail_call_chain(3);
         for (int i = 0; i < 3; ++i) {
           const auto drift = static_cast<std::uint64_t>(8 * i);
           b.event(EventKind::kTailCallTaken, i).sp -= drift;
           b.run.activations[static_cast<std::size_t>(i) + 2].entry_sp -= drift;
         }
       },
       "stack-growth-bounded", "tail-callee"},
      {"a tail call pops too little",
       [](BuiltRun& b) { b.event(EventKind::kTailCallTaken).sp -= 8; }, "sp-balanced",
       "subprogram"},
      {"a call comes back with another stack pointer",
       [](BuiltRun& b) { b.event(EventKind::kReturn).returned_sp += 8; }, "sp-balanced",
       "tail-callee"},
      {"the invocation comes back with another stack pointer",
       [](BuiltRun& b) { b.run.exit_sp -= 8; }, "sp-balanced", "main"},
      {"a refused tail call has popped",
       [](BuiltRun& b) { b.event(EventKind::kTailCallRefused, 1).sp += 16; }, "sp-balanced",
       "main"},
      {"the contract wants 256 bytes", [](BuiltRun& b) { b.image.contract.call_alignment = 256; },
       "sp-aligned-at-call", "main"},
      {"R10 moves after a call", [](BuiltRun& b) { b.event(EventKind::kReturn).registers[5] += 8; },
       "r10-stable", "main"},
      {"R10 moves at a refused tail call",
       [](BuiltRun& b) { b.event(EventKind::kTailCallRefused, 1).registers[5] -= 8; }, "r10-stable",
       "main"},
      {"a call changes R6", [](BuiltRun& b) { ++b.event(EventKind::kReturn).registers[kRbx]; },
       "r6-r9-survive-calls", "tail-callee"},
      {"a call changes r12", [](BuiltRun& b) { ++b.event(EventKind::kReturn).registers[kR12]; },
       "callee-saved-preserved", "tail-callee"},
      {"a callback changes rbx",
       [](BuiltRun& b) { ++b.event(EventKind::kReturn, 1).registers[kRbx]; },
       "callee-saved-preserved", "callback"},
      {"the invocation changes rbx", [](BuiltRun& b) { ++b.run.exit_registers[kRbx]; },
       "callee-saved-preserved", "main"},
      {"the chain ends nowhere",
       [](BuiltRun& b) { b.run.frames.back() = {.frame_pointer = 0x1000}; }, "fp-chain-walkable",
       "main"},
      {"the chain goes round",
       [](BuiltRun& b) {
         b.run.frames[1].saved = b.run.frames[1].frame_pointer;
         b.run.frames[2].frame_pointer = b.run.frames[1].frame_pointer;
       },
       "fp-chain-walkable", "tail-callee"},
      {"the chain is empty", [](BuiltRun& b) { b.event(EventKind::kCall).chain_size = 0; },
       "fp-chain-walkable", "main"},
      {"the chain misses a frame",
       [](BuiltRun& b) {
         MachineEvent& event = b.event(EventKind::kHelperCall);
         ++event.chain_begin;
         --event.chain_size;
       },
       "fp-chain-matches-calls", "tail-callee"},
      {"the chain stops at a frame that it could go on from",
       [](BuiltRun& b) { --b.event(EventKind::kHelperCall).chain_size; }, "fp-chain-walkable",
       "tail-callee"},
      {"the chain ends before the outermost frame",
       [](BuiltRun& b) {
         MachineEvent& event = b.event(EventKind::kHelperCall);
         --event.chain_size;
         b.run.frames[event.chain_begin].saved = 0;
       },
       "fp-chain-matches-calls", "tail-callee"},
      {"a callback's chain skips the BPF function",
       [](BuiltRun& b) {
         ++b.run.frames[b.event(EventKind::kCallback).chain_begin].return_address;
       },
       "fp-chain-matches-calls", "main"},
      {"an empty slot is called",
       [](BuiltRun& b) {
         b.execution.trace[b.nth(EventKind::kTailCallTaken)].kind = EventKind::kTailCallRefused;
         b.execution.trace[b.nth(EventKind::kTailCallTaken)].reason = RefusalReason::kEmptySlot;
         b.execution.tail_calls = 0;
       },
       "refused-tail-call-falls-through", "subprogram"},
      {"a refused tail call goes elsewhere",
       [](BuiltRun& b) {
         b.run.events.erase(b.run.events.begin() +
                            static_cast<std::ptrdiff_t>(b.nth(EventKind::kTailCallRefused, 1)));
       },
       "refused-tail-call-falls-through", "main"},
      {"the limit is reached too early",
       [](BuiltRun& b) {
         const auto i = b.nth(EventKind::kTailCallTaken);
         b.run.events[i].kind = EventKind::kTailCallRefused;
         b.run.events[i].sp = b.run.activations[1].r10 - 8 - 32;
         b.run.tail_calls = 0;
         b.run.events.resize(i + 1);
         b.run.stop = StopReason::kBudget;
       },
       "tail-call-count-matches-oracle", "subprogram-too-few"},
      {"the oracle refuses at the limit",
       [](BuiltRun& b) {
         b.execution.trace[b.nth(EventKind::kTailCallTaken)].kind = EventKind::kTailCallRefused;
         b.execution.trace[b.nth(EventKind::kTailCallTaken)].reason = RefusalReason::kLimitReached;
         b.execution.tail_calls = 0;
       },
       "tail-call-count-matches-oracle", "subprogram-too-many"},
      {"sp is 8 modulo 16 at a store of arm64",
       [](BuiltRun& b) {
         b = good_run(Arch::kArm64);
         b.run.accesses.back().sp -= 8;
       },
       "sp-aligned-at-access", "callback"},
      {"control arrives in the middle of a function",
       [](BuiltRun& b) { stop(b, StopReason::kWildJump, kCode + 0x101); },
       "lands-on-entry-or-return", "tail-callee"},
      {"a tail call lands beside the endbr64",
       [](BuiltRun& b) {
         b.image.landing.pad = LandingPad::kEndbr64;
         b.run.landings = {landing(kNoEvent, 0xfa1e0ff3, true),
                           landing(b.nth(EventKind::kTailCallTaken), 0xe5894855, false)};
       },
       "indirect-target-has-landing-pad", "tail-callee"},
      {"the entry has a poisoned endbr64",
       [](BuiltRun& b) {
         b.image.landing.pad = LandingPad::kEndbr64;
         b.run.landings = {landing(kNoEvent, 0x001f0f66, true)};
       },
       "indirect-target-has-landing-pad", "main"},
      {"a jump lands on bti c",
       [](BuiltRun& b) {
         b.image.landing.pad = LandingPad::kBti;
         b.run.landings = {landing(b.nth(EventKind::kTailCallTaken), 0xd503245f, false)};
       },
       "indirect-target-has-landing-pad", "tail-callee"},
      {"a callback lands on bti j",
       [](BuiltRun& b) {
         b.image.landing.pad = LandingPad::kBti;
         b.run.landings = {landing(b.nth(EventKind::kCallback), 0xd503249f, true)};
       },
       "indirect-target-has-landing-pad", "callback"},
      {"execution outside the image", [](BuiltRun& b) { stop(b, StopReason::kFault, 0x1234); },
       "stays-in-image", "tail-callee"},
      {"a load faults", [](BuiltRun& b) { stop(b, StopReason::kFault, kCode + 0x20); },
       "native-fault", "tail-callee"},
      {"an undefined instruction",
       [](BuiltRun& b) { stop(b, StopReason::kInvalidInsn, kCode + 0x20); }, "native-fault",
       "tail-callee"},
      {"a loop that does not end", [](BuiltRun& b) { stop(b, StopReason::kBudget, kCode + 0x20); },
       "terminates", "tail-callee"},
      {"a scalar argument differs", [](BuiltRun& b) { ++b.event(EventKind::kCall).registers[6]; },
       "same-events", "main"},
      {"a pointer argument differs",
       [](BuiltRun& b) { b.event(EventKind::kCall).registers[kRdi] -= 8; }, "same-events", "main"},
      {"another helper is called", [](BuiltRun& b) { b.event(EventKind::kHelperCall).target = 5; },
       "same-events", "tail-callee"},
      {"a call comes from another place",
       [](BuiltRun& b) { ++b.event(EventKind::kHelperCall).at.slot; }, "same-events",
       "tail-callee"},
      {"a subprogram returns another value",
       [](BuiltRun& b) { ++b.event(EventKind::kReturn).registers[0]; }, "same-events", "main"},
      {"a callback returns another value",
       [](BuiltRun& b) { ++b.event(EventKind::kReturn, 2).registers[0]; }, "same-events", "main"},
      {"an event is missing", [](BuiltRun& b) { b.run.events.pop_back(); }, "same-events", "main"},
      {"the result differs", [](BuiltRun& b) { ++b.run.result; }, "same-result", "main"},
      {"the result is another pointer",
       [](BuiltRun& b) { b.execution.result = Value::pointer(Space::kContext, 0, 0); },
       "same-result", "main"},
      {"a byte of the context differs", [](BuiltRun& b) { ++b.run.context[7]; }, "same-memory",
       "main"},
      {"a byte behind a stored pointer differs", [](BuiltRun& b) { ++b.run.regions[0][15]; },
       "same-memory", "main"},
      {"a stored pointer differs", [](BuiltRun& b) { ++b.run.regions[0][0]; }, "same-memory",
       "main"},
      {"bytes beside a region are written",
       [](BuiltRun& b) { b.run.object_padding_intact = false; }, "same-memory", "main"},
  };
  return rows;
}

TEST(Invariants, EachDamageIsNamedByTheInvariantItBreaks) {
  for (const Damage& row : damages()) {
    SCOPED_TRACE(row.name);
    BuiltRun built = good_run();
    row.apply(built);
    const auto violations = check(built.subject()).violations;
    ASSERT_FALSE(violations.empty());
    EXPECT_EQ(violations[0].invariant, row.invariant) << listing(violations);
    EXPECT_EQ(violations[0].role, row.role) << listing(violations);
  }
}

TEST(Invariants, EveryKindOfLandingPadIsOne) {
  struct Row {
    LandingPad pad;
    std::uint32_t word;
    bool is_call;
  };
  constexpr Row rows[] = {{LandingPad::kEndbr64, 0xfa1e0ff3, true},
                          {LandingPad::kEndbr64, 0xfa1e0ff3, false},
                          {LandingPad::kBti, 0xd503245f, true},
                          {LandingPad::kBti, 0xd503249f, false},
                          {LandingPad::kBti, 0xd50324df, true},
                          {LandingPad::kBti, 0xd50324df, false},
                          {LandingPad::kBti, 0xd503233f, true},
                          {LandingPad::kBti, 0xd503237f, true},
                          {LandingPad::kNone, 0, true}};
  for (const Row& row : rows) {
    BuiltRun built = good_run();
    built.image.landing.pad = row.pad;
    built.run.landings = {landing(built.nth(EventKind::kCallback), row.word, row.is_call)};
    EXPECT_TRUE(check(built.subject()).violations.empty()) << row.word;
  }
}

// Thunks run when the registers of the frame are restored and before anything else needs its place.
TEST(Invariants, AThunkMayWriteIntoTheFrameThatItLeadsOutOf) {
  constexpr std::uint64_t kThunk = kCode + 0x3f00;
  const auto with_store = [](std::uint64_t r10_offset, std::uint32_t frame, bool is_thunk) {
    BuiltRun built = good_run();
    if (is_thunk) built.image.symbols = {{"thunk", kThunk, true, 32}};
    auto& accesses = built.run.accesses;
    const auto of_callee = [](const StackAccess& access) { return access.activation == 1; };
    auto last = std::find_if(accesses.rbegin(), accesses.rend(), of_callee).base();
    const std::uint64_t address = built.run.activations[frame].r10 - r10_offset;
    accesses.insert(last, {.pc = kThunk + 4,
                           .address = address,
                           .sp = address + 8,
                           .activation = 1,
                           .size = 8,
                           .kind = AccessKind::kWrite,
                           .is_push = true});
    built.run.knowledge = nullptr;  // this frame is not given up: walks need its record
    const auto violations = check(built.subject()).violations;
    return violations.empty() ? std::string("none") : std::string(violations[0].invariant);
  };
  EXPECT_EQ(with_store(8, 1, true), "none");
  EXPECT_EQ(with_store(0, 1, true), "none");  // the frame record
  EXPECT_EQ(with_store(8, 1, false), "bpf-stack-disjoint-from-saved-area");
  EXPECT_EQ(with_store(8, 0, true), "bpf-stack-disjoint-from-saved-area");
  EXPECT_EQ(with_store(0, 0, true), "saved-slots-unwritten");
  EXPECT_EQ(with_store(std::uint64_t{0} - 8, 1, true), "return-address-intact");
}

TEST(Invariants, WrongDataComesBeforeTheStoresThatItLeadsTo) {
  BuiltRun built = good_run();
  built.event(EventKind::kCall).registers[kRdi] -= 24;  // a pointer for the subprogram ...
  built.store(1).address = built.run.activations[0].r10 - 16 - 24;  // ... which uses it
  auto violations = check(built.subject()).violations;
  ASSERT_GE(violations.size(), 2u);
  EXPECT_EQ(violations[0].invariant, "same-events") << listing(violations);
  // The same store before the pointer was passed is the cause, not a consequence.
  built = good_run();
  built.event(EventKind::kCall).registers[kRdi] -= 24;
  built.store(0).address = built.run.activations[0].r10 - 16 - 24;
  violations = check(built.subject()).violations;
  EXPECT_EQ(violations[0].invariant, "saved-slots-unwritten") << listing(violations);
}

TEST(Invariants, ReadsBelowTheStackPointerCountAtFullDepth) {
  BuiltRun built = good_run();
  built.depth = Depth::kFull;
  StackAccess read = built.run.accesses.back();
  read.kind = AccessKind::kRead;
  read.is_push = false;
  read.address = read.sp - 16;
  built.run.accesses.push_back(read);
  const auto violations = check(built.subject()).violations;
  ASSERT_FALSE(violations.empty());
  EXPECT_EQ(violations[0].invariant, "no-live-data-below-sp");
}

TEST(Invariants, SurviveARunThatMakesNoSense) {
  BuiltRun built = good_run();
  for (MachineEvent& event : built.run.events) event.activation = 4000;
  for (StackAccess& access : built.run.accesses) access.activation = 4000;
  EXPECT_FALSE(check(built.subject()).violations.empty());
  built.run.activations.clear();
  EXPECT_FALSE(check(built.subject()).violations.empty());
  built.run.events.clear();
  EXPECT_FALSE(check(built.subject()).violations.empty());
}

TEST(Invariants, MessagesHoldNoAddressOfTheStack) {
  for (const Damage& row : damages()) {
    BuiltRun built = good_run();
    row.apply(built);
    const Checked checked = check(built.subject());
    for (const Violation& violation : checked.violations) {
      EXPECT_EQ(violation.message.find("0x54"), std::string::npos) << violation.message;
    }
  }
}

}  // namespace
}  // namespace plumb::invariants
