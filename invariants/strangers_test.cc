// SPDX-License-Identifier: GPL-2.0-or-later
//
// JITs that are not Linux's: callers that save registers or move R10, a stack pointer that differs
// by kind of call, entries through thunks, BPF stacks elsewhere. Each is right where the contract
// says so, and wrong where it says otherwise.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "invariants/testing_image.h"
#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

using Change = std::function<void(BuiltRun&)>;

constexpr std::size_t kRbx = 3, kRbp = 5;
constexpr std::uint64_t kThunk = kBuiltCode + 0x3f00;

// The first row that is broken, or "none".
std::string broken(const BuiltRun& built) {
  const auto violations = check(built.subject()).violations;
  return violations.empty() ? "none" : std::string(violations[0].invariant);
}

// A store in the code of the call of a BPF function, before it is called.
void save_at_call(BuiltRun& built, std::uint64_t address) {
  StackAccess save = built.store(0);
  const NativeFunction& main = built.image.functions[0];
  save.pc = main.address + main.insn_offsets[1];
  save.address = address;
  save.sp = std::min(save.sp, address);
  const auto index = &built.store(0) - built.run.accesses.data();
  built.run.accesses.insert(built.run.accesses.begin() + index + 1, save);
}

void callers_save(BuiltRun& built) { built.image.contract.r6_r9_saved_by = Side::kCaller; }

void callers_move_r10(BuiltRun& built) {
  built.image.contract.r10_moved_by = Side::kCaller;
  built.event(EventKind::kCall).registers[kRbp] = built.run.activations[1].r10;
}

// Pushes one word before helpers are called.
void push_before_helpers(BuiltRun& built) {
  for (MachineEvent& event : built.run.events) {
    if (event.kind == EventKind::kHelperCall) event.sp -= 8;
  }
}

// A thunk saves a register, calls the main function and goes back to the kernel.
void enter_by_thunk(BuiltRun& built) {
  built.image.entry = kThunk;
  built.image.symbols = {{.name = "enter", .address = kThunk, .is_thunk = true, .size = 32}};
  MachineRun& run = built.run;
  const std::uint64_t entry_sp = run.entry_sp;  // of the main function
  run.entry_sp += 16;
  run.exit_sp += 16;
  run.activations[0].return_address = kThunk + 8;
  const std::uint64_t before = run.shadow[0].return_address;
  run.shadow[0].return_address = kThunk + 8;
  for (FrameRecord& record : run.frames) {
    if (record.return_address == before) record.return_address = kThunk + 8;
  }
  StackAccess push{.pc = kThunk,
                   .address = entry_sp + 8,
                   .sp = entry_sp + 16,
                   .value = 1,
                   .activation = 0,
                   .event = -1,
                   .size = 8,
                   .kind = AccessKind::kWrite,
                   .is_push = true};
  StackAccess call = push;
  call.pc = kThunk + 3;
  call.address = entry_sp;
  call.sp = entry_sp + 8;
  call.value = kThunk + 8;
  run.accesses.insert(run.accesses.begin(), {push, call});
}

// As an entry that makes room and stores there would.
void store_in_thunk(BuiltRun& built) {
  enter_by_thunk(built);
  StackAccess& save = built.run.accesses[0];
  save.is_push = false;
  save.sp -= 16;
}

void move_stacks_elsewhere(BuiltRun& built) {
  built.image.contract.bpf_stack = BpfStack::kElsewhere;
  std::erase_if(built.run.accesses, [](const StackAccess& access) {
    return !access.is_push && access.value == kStoredValue;
  });
  std::uint64_t r10 = 0x56'0000'1000;
  for (Activation& activation : built.run.activations) activation.r10 = r10 += 512;
  for (NativeFunction& function : built.image.functions) function.r10_register = 12;
  for (MachineEvent& event : built.run.events) {
    const auto of = event.kind == EventKind::kReturn && event.call >= 0
                        ? built.run.events[static_cast<std::size_t>(event.call)].activation
                        : event.activation;
    event.registers[12] = built.run.activations[of].r10;
    if (event.kind == EventKind::kCall) event.registers[7] = event.registers[12] - 8;
  }
}

struct Row {
  const char* name;
  Change change;
  const char* broken;
};

const std::vector<Row>& rows() {
  using enum EventKind;
  using B = BuiltRun;
  static const std::vector<Row> table{
      // ---- who saves R6 ... R9 ----
      {"the caller saves", callers_save, "none"},
      {"the caller saves, and R6 is another where it goes on",
       [](B& b) {
         callers_save(b);
         ++b.event(kReturn).registers[kRbx];
       },
       "r6-r9-survive-calls"},
      {"nobody saw where the caller goes on",
       [](B& b) {
         callers_save(b);
         ++b.event(kReturn).registers[kRbx];
         b.event(kReturn).settled = false;
       },
       "none"},
      {"the code of a call stores a register",
       [](B& b) {
         callers_save(b);
         save_at_call(b, b.store(0).sp - 8);
       },
       "none"},
      {"the code of a call stores a register, and the callee saves",
       [](B& b) { save_at_call(b, b.store(0).sp - 8); }, "stores-are-accounted-for"},
      {"the caller saves into its BPF stack",
       [](B& b) {
         callers_save(b);
         save_at_call(b, b.run.activations[0].r10 - 8);
       },
       "bpf-stack-disjoint-from-saved-area"},
      {"the caller pushes, and pops behind the call",
       [](B& b) {
         callers_save(b);
         b.event(kReturn).sp += 8;
       },
       "none"},
      {"the callee comes back with another stack pointer",
       [](B& b) {
         callers_save(b);
         b.event(kReturn).returned_sp += 8;
       },
       "sp-balanced"},
      // ---- who moves R10 ----
      {"the caller moves R10", callers_move_r10, "none"},
      {"the caller moves R10, and the contract says the callee",
       [](B& b) {
         callers_move_r10(b);
         b.image.contract.r10_moved_by = Side::kCallee;
       },
       "r10-stable"},
      {"the caller moves R10, and not back",
       [](B& b) {
         callers_move_r10(b);
         b.event(kReturn).registers[kRbp] = b.run.activations[1].r10;
       },
       "r10-stable"},
      // ---- where sp stands at calls ----
      {"a push before helpers", push_before_helpers, "sp-balanced"},
      {"a push before helpers, by kind",
       [](B& b) {
         push_before_helpers(b);
         b.image.contract.sp_at_calls = SpAtCalls::kByKind;
       },
       "none"},
      {"a push before one helper, by kind",
       [](B& b) {
         b.event(kHelperCall, 2).sp -= 8;
         b.image.contract.sp_at_calls = SpAtCalls::kByKind;
       },
       "sp-balanced"},
      {"a push before one helper, as it likes",
       [](B& b) {
         b.event(kHelperCall, 2).sp -= 8;
         b.image.contract.sp_at_calls = SpAtCalls::kVaries;
       },
       "none"},
      {"sp above what the prologue saved, as it likes",
       [](B& b) {
         b.event(kHelperCall, 2).sp += 32;
         b.image.contract.sp_at_calls = SpAtCalls::kVaries;
       },
       "sp-balanced"},
      // ---- entries ----
      {"an entry thunk calls the main function", enter_by_thunk, "none"},
      {"an entry thunk stores into its frame", store_in_thunk, "none"},
      {"an entry thunk stores into its caller's frame",
       [](B& b) {
         store_in_thunk(b);
         b.run.accesses[0].address += 24;
       },
       "caller-stack-unwritten"},
      {"the program hits what the entry thunk saved",
       [](B& b) {
         enter_by_thunk(b);
         b.store(0).address = b.run.entry_sp - 8;
       },
       "bpf-stack-in-frame"},
      {"the program hits where the entry thunk is returned to",
       [](B& b) {
         enter_by_thunk(b);
         b.store(0).address = b.run.entry_sp - 16;
       },
       "return-address-intact"},
      {"the entry thunk does not pop what it pushed",
       [](B& b) {
         enter_by_thunk(b);
         b.run.exit_sp -= 8;
       },
       "sp-balanced"},
      // ---- BPF stacks elsewhere ----
      {"stacks elsewhere", move_stacks_elsewhere, "none"},
      {"two stacks elsewhere share bytes",
       [](B& b) {
         move_stacks_elsewhere(b);
         b.run.activations[3].r10 = b.run.activations[0].r10;
       },
       "bpf-stack-disjoint-from-saved-area"},
      // ---- what is broken whatever the word ----
      {"the lower half of a result of unknown width",
       [](B& b) {
         b.image.contract.result_bits = 0;
         ++b.run.result;
       },
       "same-result"},
      {"the upper half of a result of unknown width",
       [](B& b) {
         b.image.contract.result_bits = 0;
         b.run.result |= std::uint64_t{1} << 40;
       },
       "none"},
      {"no alignment that any contract may have",
       [](B& b) {
         b.image.contract.call_alignment = 0;
         b.event(kHelperCall, 2).sp -= 4;
         b.image.contract.sp_at_calls = SpAtCalls::kVaries;
       },
       "sp-aligned-at-call"},
      {"a push into what the program declared, in a frame of unknown size",
       [](B& b) {
         b.image.functions[0].stack_size.reset();
         save_at_call(b, b.run.activations[0].r10 - 16);
         b.image.contract.r6_r9_saved_by = Side::kCaller;
       },
       "bpf-stack-disjoint-from-saved-area"},
      {"a store below any stack, in frames of unknown size",
       [](B& b) {
         for (NativeFunction& function : b.image.functions) function.stack_size.reset();
         b.store(0).address = b.run.activations[0].r10 - 640;
         b.store(0).sp -= 640;
       },
       "bpf-stack-in-frame"},
      {"R6 changes, and R9 is somewhere",
       [](B& b) {
         b.image.registers.bpf[9] = {};
         ++b.event(kReturn).registers[kRbx];
       },
       "r6-r9-survive-calls"},
  };
  return table;
}

TEST(Strangers, AreRightOrWrongByTheirContracts) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    BuiltRun built = good_run();
    row.change(built);
    EXPECT_EQ(broken(built), row.broken) << listing(check(built.subject()).violations);
  }
}

// What a contract says is looked at: rows are held as for Linux's.
TEST(Strangers, RowsHoldForThemToo) {
  for (const Change& change : std::initializer_list<Change>{callers_save, callers_move_r10,
                                                            enter_by_thunk, store_in_thunk}) {
    BuiltRun built = good_run();
    const Checked linux_like = check(built.subject());
    change(built);
    const Checked checked = check(built.subject());
    for (std::size_t i = 0; i < invariant_table().size(); ++i) {
      EXPECT_EQ(checked.answers[i].kind, linux_like.answers[i].kind)
          << invariant_table()[i].name << ": " << reason_phrase(checked.answers[i].reason);
    }
  }
}

}  // namespace
}  // namespace plumb::invariants
