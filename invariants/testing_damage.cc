// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/testing_damage.h"

#include "invariants/testing_hardening.h"
#include "invariants/testing_layout.h"

namespace plumb::invariants {
namespace {

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

// Every row, changed.
unwind::Rows changed_rows(const unwind::Rows& rows, void (*change)(unwind::Row&)) {
  std::vector<unwind::Row> changed(rows.all().begin(), rows.all().end());
  for (unwind::Row& row : changed) change(row);
  return {rows.arch(), std::move(changed)};
}

// Leads to the frame that it starts from, again and again.
unwind::Step stand_still(unwind::Unwinder, const unwind::Cursor& cursor, const unwind::StackReader&,
                         const unwind::Knowledge&) {
  return unwind::Frame{.cursor = cursor, .reliable = false};
}

}  // namespace

const std::vector<Damage>& damages() {
  using enum EventKind;
  static const std::vector<Damage> rows{
      {"tail-call-bound", [](BuiltRun& b) { b = tail_call_chain(34, b.image.arch); }},
      {"throw-reaches-boundary",
       [](BuiltRun& b) {
         b = throwing_run(b.image.arch);
         b.run.throws[0].walk.program = 1;
       },
       {Arch::kRiscv64}},
      {"boundary-sp-matches",
       [](BuiltRun& b) {
         b = throwing_run(b.image.arch);
         b.run.throws[0].walk.sp += 8;
       },
       {Arch::kRiscv64}},
      {"callback-frame-valid",
       [](BuiltRun& b) {
         b = throwing_run(b.image.arch);
         b.run.steps.back().fp += 16;
       },
       {Arch::kRiscv64}},
      {"throw-restores-callee-saved",
       [](BuiltRun& b) {
         b = throwing_run(b.image.arch);
         ++b.run.exit_registers[native(b, 6)];
       },
       {Arch::kRiscv64}},
      {"stack-growth-bounded",
       [](BuiltRun& b) {
         b = tail_call_chain(3, b.image.arch);
         for (int i = 0; i < 3; ++i) {
           const std::uint64_t drift = 16 * static_cast<std::uint64_t>(i);
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
      {"claims-hold",
       [](BuiltRun& b) {
         b.depth = Depth::kFull;
         claim(b);
         for (unwind::Row& row : b.image.unwind_rows) row.cfa_offset += 8;
       }},
      {"unwind-never-wrong-when-reliable",
       [](BuiltRun& b) {
         b.depth = Depth::kInterrupts;
         b.tell([](unwind::CodeKnowledge& k) {
           k.jit_rows = changed_rows(
               k.jit_rows, [](unwind::Row& row) { row.kind = unwind::Row::Kind::kOutermost; });
         });
       }},
      {"unwind-matches-shadow-stack",
       [](BuiltRun& b) {
         b.depth = Depth::kInterrupts;
         b.tell([](unwind::CodeKnowledge& k) {
           k.jit_rows = changed_rows(k.jit_rows, [](unwind::Row& row) {
             row.kind = unwind::Row::Kind::kOutermost;
             row.is_reliable = false;
           });
         });
       }},
      {"interrupt-frame-found",
       [](BuiltRun& b) {
         b.depth = Depth::kInterrupts;
         b.tell([](unwind::CodeKnowledge& k) {
           k.c_rows = changed_rows(k.c_rows, [](unwind::Row& row) {
             if (row.kind != unwind::Row::Kind::kRegisters) return;
             row.kind = unwind::Row::Kind::kUnknown;
           });
         });
       }},
      {"unwinder-terminates",
       [](BuiltRun& b) {
         b.depth = Depth::kInterrupts;
         b.tell([](unwind::CodeKnowledge& k) { k.step = stand_still; });
       }},
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
      {"cfi-hash-matches-kind",
       [](BuiltRun& b) {
         harden(b);
         put_code(b, 0, -8, {0});
       }},
      {"return-address-authenticated",
       [](BuiltRun& b) {
         harden(b);
         put_code(b, 2, 0, {kTestNop});
       },
       {Arch::kX86_64, Arch::kRiscv64}},
      {"constants-blinded",
       [](BuiltRun& b) {
         harden(b);
         load_constant(b, 0, 0);
         load_constant(b, 1, 0);
       }},
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

}  // namespace plumb::invariants
