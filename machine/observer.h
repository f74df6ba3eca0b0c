// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/image.h"
#include "core/machine_run.h"
#include "core/unwind/step.h"
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
        rows_(unwind::frame_record_rows(target.facts().arch)) {}

  struct Subject {
    Engine* engine = nullptr;
    const Image* image = nullptr;
    const CodeMap* map = nullptr;
    RunOptions options;
    MachineRun* run = nullptr;  // entry_sp and entry_registers are set
    bool keeps_steps = true;    // kFull: fills MachineRun::steps
  };
  void begin(const Subject& subject, const NativeFunction& entry);
  void finish(EngineStatus status);

  void on_block(std::uint64_t address, std::uint32_t size) override;
  void on_instruction(std::uint64_t address) override;
  void on_stack_access(AccessKind kind, std::uint64_t address, std::uint8_t size,
                       std::uint64_t value) override;
  void on_fault(FaultKind kind, std::uint64_t address) override;

 private:
  void arrive(Role role, const Block& from, std::uint64_t address);
  [[nodiscard]] bool arrive_by_return(const Block& from, std::uint64_t address);
  void arrive_in_function(Role role, const Block& from, std::uint64_t address);
  void arrive_in_stubs(const Block& from, std::uint64_t address);
  // The call that the last event begins is in progress from now on.
  void begin_call(const MachineEvent& event);
  void end_call(const ShadowFrame& frame);
  void add_step(std::uint64_t pc);
  void inject(InjectedStore& store, std::uint64_t pc);
  void enter_by_call(Role role, const Block& from, std::uint64_t return_address);
  void take_tail_call(Role role, std::uint64_t address);
  void refuse_tail_call(std::uint64_t address);
  void call_helper(std::int32_t number, std::uint64_t return_address);
  void record_helper_writes(const Range& written, std::uint64_t sp);
  void finish_at_end();
  [[nodiscard]] std::uint64_t caller_stack_changed() const;

  void note_landing(const Block& from, std::uint64_t address);
  void add_landing(bool is_call, std::uint64_t address, std::int32_t event);

  [[nodiscard]] bool is_tail_call_landing(Role role, Role source, std::uint64_t address) const;
  [[nodiscard]] bool is_in_prologue(Role role, std::uint64_t address) const;
  [[nodiscard]] std::uint64_t pushed_bytes(std::uint64_t pc) const;
  [[nodiscard]] std::uint64_t trap_address(std::uint64_t pc, EngineStatus status) const;
  [[nodiscard]] Place source_place() const { return map_->place(source_end_ - 1); }
  [[nodiscard]] bool frame_is_set_up(std::uint64_t pc) const;
  void note_r10(const RegisterFile& registers);
  [[nodiscard]] std::int32_t last_step() const {
    return static_cast<std::int32_t>(run_->steps.size()) - 1;
  }
  [[nodiscard]] std::int32_t last_event() const {
    return static_cast<std::int32_t>(run_->events.size()) - 1;
  }

  // Appends an event that happens in the current activation, with registers as they are.
  MachineEvent& record(EventKind kind, const Place& at, std::int32_t target, std::uint64_t pc);
  // The same at the first instruction of a callee: registers as before the call.
  MachineEvent& record_call(EventKind kind, const Place& at, std::int32_t target, std::uint64_t pc);
  void walk_frames(MachineEvent& event);

  void stop(StopReason reason, std::string detail);
  void wild(std::string_view what, std::uint64_t address);

  const Target& target_;
  GuestMemory& memory_;
  HelperMock mock_;
  const unwind::Rows& rows_;
  Engine* engine_ = nullptr;
  const Image* image_ = nullptr;
  const CodeMap* map_ = nullptr;
  MachineRun* run_ = nullptr;
  RunOptions options_;
  bool stopped_ = false;
  std::uint32_t current_ = 0;   // activation
  std::int32_t innermost_ = 0;  // call in progress, in MachineRun::shadow
  bool keeps_steps_ = false;
  std::uint64_t loop_end_ = 0;    // LoopRoutine::end
  Block previous_;                // the block that runs, or ran last
  std::uint64_t source_end_ = 0;  // end of the last block inside a function
};

}  // namespace plumb::machine
