// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/case.h"
#include "core/execution.h"
#include "core/image.h"
#include "core/machine_run.h"
#include "core/unwind/code_knowledge.h"
#include "invariants/invariants.h"
#include "invariants/testing_layout.h"

namespace plumb::invariants {

// A run made by hand, for tests: what oracle and machine would say if both were right, in the frame
// layout of the 6.12 kernel. Tests damage a copy of it.
//
// The count of tail calls lies on the stack, but on riscv64: there it is kept in a register.
//
//   entry.main: 0 store  1 call sub  2 helper 7  3 tail call  4 loop each  5 exit
//   entry.sub:  0 store  1 tail call  2 exit
//   entry.each: 0 store  1 exit
//   next.main:  0 store  1 tail call  2 helper 7  3 exit
//
// Of its instructions the run has those above, where the frames are complete, and the helper's call
// of a callback.
struct BuiltRun {
  Case value;
  Image image;
  Execution execution;
  MachineRun run;
  Depth depth = Depth::kFast;

  // Changes what unwinders are told of the run.
  void tell(const std::function<void(unwind::CodeKnowledge&)>& change);

  [[nodiscard]] Subject subject() const { return {&value, &image, &execution, &run, depth}; }
  // The n-th event (machine and oracle) of the kind, counting from 0.
  [[nodiscard]] std::size_t nth(EventKind kind, int n = 0) const;
  [[nodiscard]] MachineEvent& event(EventKind kind, int n = 0) { return run.events[nth(kind, n)]; }
  // The n-th store of the program, as the machine saw it and as the oracle has it.
  [[nodiscard]] StackAccess& store(int n);
  [[nodiscard]] StackStore& oracle_store(int n);
  // The n-th time that a tail call writes the count.
  [[nodiscard]] StackAccess& count(int n);
};

// Plays the two sides step by step. Slots are those of the running function.
class RunBuilder {
 public:
  explicit RunBuilder(Arch arch = Arch::kX86_64);

  void store(std::int32_t slot, std::int64_t r10_offset);
  void call(std::int32_t slot, int function);
  void helper(std::int32_t slot, std::int32_t number);
  void callback(std::int32_t slot, int function);  // after helper(slot, 181)
  void leave();                                    // return of a call or callback
  void tail_call(std::int32_t slot, int program);
  void refuse(std::int32_t slot, RefusalReason reason);
  // Out of all frames up to that of the main function, which the exception callback takes over.
  void throw_to(std::int32_t slot, int callback);
  [[nodiscard]] BuiltRun exit(std::int32_t slot);

 private:
  struct Open {
    std::uint32_t activation = 0;
    std::int32_t event = -1;  // call or callback; -1: the kernel's call
    std::int32_t call_slot = 0;
    std::uint64_t call_sp = 0;
    RegisterFile saved{};
  };
  const NativeFunction& native() const;
  BuiltLayout layout() const;  // of the function that runs
  std::uint64_t pc_of(std::int32_t slot) const;
  void add_step(std::int32_t slot);
  void add_step_at(std::uint64_t pc);
  std::int32_t last_step() const { return static_cast<std::int32_t>(built_.run.steps.size()) - 1; }
  Place place_of(std::int32_t slot) const;
  void save(std::uint64_t pc, std::uint64_t address, std::uint64_t value, bool is_push);
  void push(std::uint64_t pc, std::uint64_t value);
  void write_count(std::int32_t slot);
  void note_count_word(std::size_t saved);
  void arrive(std::uint64_t pc, std::uint64_t return_address);
  void enter(int program, int function, std::uint64_t return_address, std::int32_t replaced);
  // The call that the event begins is in progress from now on; sp is as on arrival.
  void begin_call(std::int32_t event, std::uint64_t return_address, std::uint32_t activation);
  void prologue(bool by_tail_call);
  void into_helper(std::uint64_t return_address);
  std::int32_t last_event() const {
    return static_cast<std::int32_t>(built_.run.events.size() - 1);
  }
  std::uint32_t next_activation() const {
    return static_cast<std::uint32_t>(built_.run.activations.size());
  }
  MachineEvent& record(EventKind kind, std::int32_t slot, std::int32_t target);
  void record_chain(MachineEvent& event);

  BuiltLayout outer_;  // what does not depend on the function
  BuiltRun built_;
  std::vector<Open> open_;
  std::map<std::uint64_t, std::uint64_t> memory_;  // of the stack
  RegisterFile registers_{};
  std::uint64_t sp_;
  std::uint64_t count_word_ = 0;    // address; 0: not yet made
  std::int32_t innermost_ = -1;     // call in progress, in MachineRun::shadow
  std::int32_t helper_ = -1;        // of the last helper call: its frame there,
  std::int32_t helper_event_ = -1;  // its event
};

// One run with everything in it: calls, helpers, a callback, refused and taken tail calls.
[[nodiscard]] BuiltRun good_run(Arch arch = Arch::kX86_64);
// entry.main calls sub, which throws; each is the exception callback, and the last to run.
[[nodiscard]] BuiltRun throwing_run(Arch arch = Arch::kX86_64);
// Lets the JIT hand over the rows that the machine tells unwinders.
void claim(BuiltRun& built);
// Lets the attempt at an empty slot of a good run count, as some JITs do. On the stack.
void count_at_empty_slot(BuiltRun& built);
// Lets the frames of a good run of riscv64 keep how many tail calls are left, in the word of s2:
// the tail call and the call of entry.main then store what is left.
void keep_count_in_frames(BuiltRun& built);
// entry.main calls sub, which tail-calls next, which tail-calls itself: count times in all.
[[nodiscard]] BuiltRun tail_call_chain(int count, Arch arch = Arch::kX86_64);

}  // namespace plumb::invariants
