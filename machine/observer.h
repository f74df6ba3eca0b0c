// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/image.h"
#include "core/machine_run.h"
#include "core/unwind/c_frames.h"
#include "core/unwind/step.h"
#include "machine/c_calls.h"
#include "machine/code_map.h"
#include "machine/engine.h"
#include "machine/guest_memory.h"
#include "machine/helper_mock.h"
#include "machine/machine.h"
#include "machine/target.h"

namespace plumb::machine {

// Turns what an engine reports into a MachineRun: keeps the shadow call stack, tells calls, tail
// calls, returns and plain branches apart by where each basic block starts and how the one before
// it ended, and stops the run when control arrives where nothing may arrive.
class Observer final : public EngineClient {
 public:
  Observer(const Target& target, GuestMemory& memory)
      : target_(target),
        memory_(memory),
        mock_(target, memory),
        c_calls_(target, memory),
        rows_(unwind::frame_record_rows(target.facts().arch)) {}

  struct Subject {
    Engine* engine = nullptr;
    const Image* image = nullptr;
    const CodeMap* map = nullptr;
    RunOptions options;
    MachineRun* run = nullptr;  // entry_sp and entry_registers are set
    bool keeps_steps = true;    // kFull: fills MachineRun::steps
  };
  void begin(const Subject& subject, std::size_t entry);  // index in Image::functions
  void finish(EngineStatus status);

  void on_block(std::uint64_t address, std::uint32_t size) override;
  void on_instruction(std::uint64_t address) override;
  void on_stack_access(AccessKind kind, std::uint64_t address, std::uint8_t size,
                       std::uint64_t value) override;
  void on_fault(FaultKind kind, std::uint64_t address) override;

 private:
  // A call in a function or in the loop helper, seen where it leads to, maybe through thunks.
  struct Call {
    std::uint64_t return_address = 0;  // of that call
    std::uint64_t sp = 0;              // is_through_thunks: just before it
    bool is_from_stubs = false;
    bool is_through_thunks = false;
    bool is_jump = false;     // and the last of them jumped
    std::uint64_t back = 0;   // where the callee has to return
    std::int32_t shadow = 0;  // innermost call in progress before it
  };
  struct ThunkCall {
    std::int32_t shadow = 0;     // in MachineRun::shadow
    bool is_from_stubs = false;  // made by the loop helper
  };

  void arrive(Role role, const Block& from, std::uint64_t address);
  [[nodiscard]] bool arrive_by_return(const Block& from, std::uint64_t address);
  void arrive_in_function(Role role, const Block& from, std::uint64_t address);
  void arrive_in_stubs(const Block& from, std::uint64_t address);
  void run_in_function(Role role);
  void fall_into(Role role, std::uint64_t address);
  void end_call(const ShadowFrame& frame);
  void come_back(MachineEvent& event);
  void settle();
  void add_step(std::uint64_t pc);
  void inject(InjectedStore& store, std::uint64_t pc);
  void interrupt();
  void enter_by_call(Role role, const Call& call);
  void take_tail_call(Role role, std::uint64_t address);
  void refuse_tail_call(std::uint64_t address);
  void call_helper(std::int32_t number, const Call& call);
  void run_c_code(std::uint64_t address);

  // ---- throws (observer_throws.cc) ----
  void call_throw(const Call& call);
  void enter_exception_callback(Role role, const Call& call);
  [[nodiscard]] std::int32_t boundary_of(std::uint32_t thrower) const;
  [[nodiscard]] std::uint64_t boundary_sp(std::uint32_t thrower, std::int32_t boundary) const;
  [[nodiscard]] std::int32_t shadow_of(std::int32_t activation) const;
  void take_over_if_due(Role role);

  void record_helper_writes(const Range& written, std::uint64_t sp);
  void finish_at_end();
  [[nodiscard]] std::uint64_t caller_stack_changed() const;

  void note_landing(const Block& from, std::uint64_t address, std::int32_t event);
  void copy_code();
  void note_return(const Block& from, std::uint32_t activation);
  void add_landing(bool is_call, std::uint64_t address, std::int32_t event);

  [[nodiscard]] bool is_tail_call_landing(Role role, Role source, std::uint64_t address) const;
  [[nodiscard]] bool leaves_insn(std::uint64_t address) const;
  [[nodiscard]] bool is_in_prologue(Role role, std::uint64_t address) const;
  [[nodiscard]] std::uint64_t pushed_bytes(std::uint64_t pc) const;
  [[nodiscard]] std::uint64_t trap_address(std::uint64_t pc, EngineStatus status) const;
  [[nodiscard]] Place source_place() const { return map_->place(source_end_ - 1); }
  [[nodiscard]] bool frame_is_set_up(std::uint64_t pc) const;
  [[nodiscard]] bool needs_r10() const {
    return knows_r10_ && run_->activations[current_].r10 == 0;
  }
  void note_r10(const RegisterFile& registers);
  [[nodiscard]] const ShadowFrame& innermost() const {
    return run_->shadow[static_cast<std::size_t>(innermost_)];
  }
  [[nodiscard]] std::int32_t last_step() const {
    return static_cast<std::int32_t>(run_->steps.size()) - 1;
  }
  [[nodiscard]] std::int32_t last_event() const {
    return static_cast<std::int32_t>(run_->events.size()) - 1;
  }

  // Appends an event that happens in the current activation, with registers as they are.
  MachineEvent& record(EventKind kind, const Place& at, std::int32_t target, std::uint64_t pc);
  // The same at the first instruction of a callee: registers as before the call.
  MachineEvent& record_call(EventKind kind, const Place& at, std::int32_t target, const Call& call);
  void read_registers(MachineEvent& event) const;
  void walk_frames(MachineEvent& event);

  // ---- thunks (observer_thunks.cc) ----
  void arrive_in_thunk(const Block& from, std::uint64_t address);
  void enter_program(Role role, const Block& from, std::uint64_t address);
  [[nodiscard]] std::optional<Call> call_to(const Block& from, std::uint64_t address) const;
  [[nodiscard]] std::optional<Call> call_through_thunks(const Block& from,
                                                        std::optional<std::uint64_t> back) const;
  void begin_call(const MachineEvent& event, const Call& call);
  void push_call(const ShadowFrame& frame);
  [[nodiscard]] std::uint64_t arrival_sp(const MachineEvent& event, const Call& call) const;
  [[nodiscard]] bool is_tail_call_by_thunk(Role role, const Block& from, const Call& call) const;
  void call_program(Role role, const Call& call);
  void begin_program_call(std::uint64_t return_address);
  // Calls of thunks, made out of functions or stubs or in thunks, that control is in right now.
  [[nodiscard]] std::span<const ThunkCall> open_thunk_calls() const;
  void end_thunk_call();
  [[nodiscard]] bool drop_dead_thunk_call(const Block& from);
  void drop_dead_thunk_calls(const Block& from) {
    while (innermost_ != 0 && innermost().event < 0 && drop_dead_thunk_call(from)) {
    }
  }
  void leave_thunks();
  [[nodiscard]] std::uint64_t pass_thunk_records(std::uint64_t frame_pointer);
  [[nodiscard]] bool is_record_below(std::uint64_t frame_pointer, std::uint64_t sp) const;

  void stop(StopReason reason, std::string detail);
  void wild(std::string_view what, std::uint64_t address);

  const Target& target_;
  GuestMemory& memory_;
  HelperMock mock_;
  CCalls c_calls_;
  const unwind::Rows& rows_;
  Engine* engine_ = nullptr;
  const Image* image_ = nullptr;
  const CodeMap* map_ = nullptr;
  MachineRun* run_ = nullptr;
  RunOptions options_;
  bool stopped_ = false;
  std::uint32_t current_ = 0;           // activation
  std::int32_t innermost_ = 0;          // call in progress, in MachineRun::shadow
  std::vector<ThunkCall> thunk_calls_;  // calls of thunks in progress, innermost last
  std::vector<std::uint64_t> sources_;  // source_end_ at each call of MachineRun::shadow
  bool knows_r10_ = false;
  bool is_entered_ = false;         // the main function of the entry program has begun
  std::size_t entry_function_ = 0;  // that one, in Image::functions
  bool caller_restores_ = false;    // R6 ... R9 or R10, behind calls
  std::int32_t open_return_ = -1;   // the last event, a return whose registers are due later
  std::uint64_t due_at_ = 0;        // where; 0: not known yet
  bool keeps_steps_ = false;
  // An exception callback has been called and has not taken over the boundary's frame yet: the call
  // that it is in then, in MachineRun::shadow; -1: none.
  std::int32_t next_shadow_ = -1;
  unwind::StackBelow interrupts_{unwind::no_stack(), Arch::kX86_64};
  Block previous_;                // the block that runs, or ran last
  std::uint64_t source_end_ = 0;  // end of the last block inside a function
};

}  // namespace plumb::machine
