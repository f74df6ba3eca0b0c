// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <asmjit/core.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/opcode.h"
#include "core/placement.h"
#include "jit_under_test/reference/frame_layout.h"
#include "jit_under_test/reference/function_facts.h"
#include "jit_under_test/reference/unwind_notes.h"

namespace plumb::jit::reference {

// The object behind a prog array, and the one behind a program, as native code sees them.
inline constexpr int kArraySlotCount = 0;  // u32
inline constexpr int kArraySlots = 8;      // one pointer each, to a program object or null
inline constexpr int kProgramEntry = 8;    // address of the main function

// What the functions of one case share. Labels and objects exist before any code does.
struct CompileUnit {
  const Case* value = nullptr;
  const LayoutRow* row = nullptr;
  std::optional<Defect> defect;
  asmjit::CodeHolder* code = nullptr;
  const Placement* placement = nullptr;
  std::vector<std::uint64_t> array_objects;
  std::vector<std::uint64_t> program_objects;
  std::vector<std::vector<asmjit::Label>> functions;  // by program and function
  std::vector<asmjit::Label> tail_call_entries;       // by program
};

// One function on its way through the JIT.
struct FunctionUnit {
  int program = 0;
  int function = 0;
  const std::vector<FunctionFacts>* facts = nullptr;  // of all functions of the program
  FrameLayout frame;
  std::uint64_t private_stack = 0;  // upper end of it, less what the CPU's base adds; 0: none
};

// What came out, in offsets from the start of all code.
struct EmittedFunction {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t tail_call_entry = 0;
  std::vector<std::size_t> slots;  // one more than there are BPF slots
  std::vector<unwind::Row> rows;   // the last one is unknown, at end
};

// Emits one function: the loop over its instructions. What an instruction becomes is the
// architecture's.
class Emitter {
 public:
  Emitter(const CompileUnit& unit, const FunctionUnit& function, asmjit::BaseAssembler& assembler);
  virtual ~Emitter() = default;
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;

  [[nodiscard]] EmittedFunction run();

 protected:
  virtual void step(const Step& step) = 0;
  virtual void epilogue() = 0;
  virtual void tail_call(const TailCallSite& site) = 0;
  virtual void jump(const asmjit::Label& target) = 0;
  virtual void instruction(const OpcodeInfo& info, const Insn* insn) = 0;

  [[nodiscard]] bool has(Defect defect) const { return unit_.defect == defect; }
  [[nodiscard]] const FrameLayout& frame() const { return function_.frame; }
  [[nodiscard]] const LayoutTraits& traits() const { return frame().row->traits; }
  [[nodiscard]] const FunctionFacts& facts() const {
    return (*function_.facts)[static_cast<std::size_t>(function_.function)];
  }
  [[nodiscard]] const asmjit::Label& slot_label(std::int64_t slot) const {
    return labels_[static_cast<std::size_t>(slot)];
  }
  [[nodiscard]] std::int64_t slot() const { return slot_; }  // of the current instruction
  [[nodiscard]] const asmjit::Label& epilogue_label() const { return epilogue_; }
  // Where the jump goes, defects included.
  [[nodiscard]] const asmjit::Label& target_of(const Insn& insn) const;
  // So far that a conditional branch of arm64 may not reach: 1 MiB, and a slot is less than 1 KiB.
  [[nodiscard]] bool is_far(const Insn& insn) const;
  [[nodiscard]] const asmjit::Label& callee(const Insn& insn) const;
  [[nodiscard]] bool callee_is_reachable(const Insn& insn) const;
  [[nodiscard]] std::uint64_t stub(std::int32_t helper) const;
  // The program that a direct tail call finds in its slot; kNoProgram: an empty one.
  [[nodiscard]] bool is_direct(const TailCallSite& site) const;
  [[nodiscard]] int direct_target(const TailCallSite& site) const;
  // Number behind a wide load that is no function's address.
  [[nodiscard]] std::uint64_t wide_value(const OpcodeInfo& info, const Insn* insn) const;
  // What a prologue has behind its tail-call entry, last step first: what a tail call undoes.
  [[nodiscard]] std::vector<Step> steps_to_undo() const;
  [[nodiscard]] int tail_call_limit() const;
  [[nodiscard]] int entry_offset() const;

  // Behind an instruction that moves the frame or what is saved in it: notes().sp_moved(here(), 8).
  [[nodiscard]] UnwindNotes& notes() { return notes_; }
  [[nodiscard]] std::size_t here() const { return assembler_.offset(); }

  const CompileUnit& unit_;
  const FunctionUnit& function_;

 private:
  void emit_slot(std::size_t index, EmittedFunction& out);
  void exit();

  asmjit::BaseAssembler& assembler_;
  std::vector<asmjit::Label> labels_;
  std::vector<bool> starts_;  // by slot: an instruction starts there
  asmjit::Label epilogue_;
  bool has_epilogue_ = false;
  std::int64_t slot_ = 0;
  UnwindNotes notes_;
};

// The assembler is the architecture's and attached to unit.code.
[[nodiscard]] EmittedFunction emit_x86_64(const CompileUnit& unit, const FunctionUnit& function,
                                          asmjit::BaseAssembler& assembler);
[[nodiscard]] EmittedFunction emit_arm64(const CompileUnit& unit, const FunctionUnit& function,
                                         asmjit::BaseAssembler& assembler);

}  // namespace plumb::jit::reference
