// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <asmjit/arm/a64assembler.h>

#include "jit_under_test/reference/emitter.h"

namespace plumb::jit::reference {

// arm64. BPF registers as in the kernel: R0 x7, R1 ... R5 x0 ... x4, R6 ... R9 x19 ... x22, R10
// x25; x26 carries the tail-call count; x10, x11, x12 are scratch.
class EmitterArm64 final : public Emitter {
 public:
  EmitterArm64(const CompileUnit& unit, const FunctionUnit& function, asmjit::a64::Assembler& a)
      : Emitter(unit, function, a), a_(a) {}

 protected:
  // frame_arm64.cc
  void step(const Step& step) override;
  void epilogue() override;
  void tail_call(const TailCallSite& site) override;
  // body_arm64.cc
  void jump(const asmjit::Label& target) override;
  void instruction(const OpcodeInfo& info, const Insn* insn) override;

 private:
  using Gp = asmjit::a64::Gp;
  using Mem = asmjit::a64::Mem;

  // frame_arm64.cc: with their notes
  void allocate(int bytes);
  void give_back(int bytes);
  void shift(int reg, int by);
  void undo(const Step& step);
  void pop_pair(int low, int high);
  void stray_stores();
  void unwind();
  void check_bound(const asmjit::Label& out);
  void check_count(const asmjit::Label& out);
  void load_target(const asmjit::Label& out);
  [[nodiscard]] std::vector<Step> epilogue_steps() const;
  void damage_restores(std::vector<Step>& steps) const;
  void take_over(int below);

  // body_arm64.cc
  void move_immediate(const Gp& to, std::uint64_t value);
  [[nodiscard]] Gp operand(const OpcodeInfo& info, const Insn& insn);
  void alu(const OpcodeInfo& info, const Insn& insn);
  void move(const OpcodeInfo& info, const Insn& insn);
  void sign_extend(const OpcodeInfo& info, const Insn& insn);
  void divide(const OpcodeInfo& info, const Insn& insn);
  void byte_order(const OpcodeInfo& info, const Insn& insn);
  void conditional_jump(const OpcodeInfo& info, const Insn& insn);
  void load(const OpcodeInfo& info, const Insn& insn);
  void store(const OpcodeInfo& info, const Insn& insn);
  void atomic(const OpcodeInfo& info, const Insn& insn);
  void call_helper(const Insn& insn);
  void call_throw();
  void call_function(const Insn& insn);
  // [base + offset], base in the instruction's field; may take x11.
  [[nodiscard]] Mem memory(const Insn& insn, int base);
  [[nodiscard]] Gp reg(int bpf, int width = 64) const;
  [[nodiscard]] static Gp sized(int hardware, int width);
  [[nodiscard]] int r10_defect() const;

  asmjit::a64::Assembler& a_;
};

}  // namespace plumb::jit::reference
