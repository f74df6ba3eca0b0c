// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <asmjit/x86.h>

#include "jit_under_test/reference/emitter.h"

namespace plumb::jit::reference {

// x86-64. BPF registers as in the kernel since 3.16: R0 rax, R1 ... R5 rdi rsi rdx rcx r8, R6 ...
// R9 rbx r13 r14 r15; r10 and r11 are scratch.
class EmitterX86 final : public Emitter {
 public:
  EmitterX86(const CompileUnit& unit, const FunctionUnit& function, asmjit::x86::Assembler& a)
      : Emitter(unit, function, a), a_(a) {}

 protected:
  // frame_x86_64.cc
  void step(const Step& step) override;
  void epilogue() override;
  void tail_call(const TailCallSite& site) override;
  // body_x86_64.cc
  void jump(const asmjit::Label& target) override;
  void instruction(const OpcodeInfo& info, const Insn* insn) override;

 private:
  using Gp = asmjit::x86::Gp;
  using Mem = asmjit::x86::Mem;

  // frame_x86_64.cc: with their notes
  void push(const Gp& reg);
  void pop(const Gp& reg);
  void allocate(int bytes);
  void give_back(int bytes);
  void move_fp(int by);
  void leave();
  void nop(int bytes);
  void take_over();
  void count_by_reference();
  void private_stack();
  void undo(const Step& step);
  void load_saved();
  void pop_saved();
  void stray_stores();
  void check_bound(const asmjit::Label& out);
  void check_count(const asmjit::Label& out);
  void count_up();
  void count_late();
  void load_target(const asmjit::Label& out);
  void unwind();
  void direct_tail_call(const TailCallSite& site, const asmjit::Label& out);
  void indirect_tail_call(const asmjit::Label& out);
  [[nodiscard]] Mem count_slot(int byte, int size) const;
  [[nodiscard]] Gp target_register() const;

  // body_x86_64.cc
  void alu(const OpcodeInfo& info, const Insn& insn);
  void move(const OpcodeInfo& info, const Insn& insn);
  void sign_extend(const OpcodeInfo& info, const Insn& insn);
  void shift(const OpcodeInfo& info, const Insn& insn);
  void divide(const OpcodeInfo& info, const Insn& insn);
  void byte_order(const OpcodeInfo& info, const Insn& insn);
  void conditional_jump(const OpcodeInfo& info, const Insn& insn);
  void load(const OpcodeInfo& info, const Insn& insn);
  void store(const OpcodeInfo& info, const Insn& insn);
  void atomic(const OpcodeInfo& info, const Insn& insn);
  void atomic_loop(const OpcodeInfo& info, const Insn& insn);
  void call_helper(const Insn& insn);
  void call_throw();
  void call_function(const Insn& insn);
  void reload_count();

  [[nodiscard]] int hardware(int bpf) const;
  [[nodiscard]] Gp reg(int bpf, int width = 64) const;
  [[nodiscard]] static Gp sized(int hardware, int width);
  [[nodiscard]] int bias(const Insn& insn) const;
  [[nodiscard]] Mem memory(const Insn& insn, int base, int width) const;

  asmjit::x86::Assembler& a_;
};

}  // namespace plumb::jit::reference
