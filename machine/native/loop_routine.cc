// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/loop_routine.h"

#include <asmjit/x86.h>

#include "core/check.h"
#include "core/helper_model.h"
#include "machine/c_routine.h"

namespace plumb::machine {
namespace {

using namespace asmjit::x86;  // NOLINT(google-build-using-namespace): registers by their names

constexpr std::uint32_t kFlags = 0x8d7;  // CF PF AF ZF SF OF, and bit 1
constexpr Gp kSaved[] = {rbx, r12, r13, r14, r15};

// The frame, below the frame record:
//
//   rbp - 40  rbx, r12 ... r15
//   rbp - 48  count
//   rbp - 56  callback
//   rbp - 64  context
//   rbp - 72  index
//   rbp - 80  aligns the stack
constexpr int kFrameSize = 80;
Mem count() { return dword_ptr(rbp, -48); }
Mem callback() { return qword_ptr(rbp, -56); }
Mem context() { return qword_ptr(rbp, -64); }
Mem index() { return dword_ptr(rbp, -72); }

// All but r11, which holds the pattern, rsp, rbp and the arguments.
void scramble(Assembler& a) {
  a.mov(r11, kScrambledRegister);
  for (const Gp& reg : {rbx, r9, r10, r12, r13, r14, r15}) {
    a.lea(reg, ptr(r11, static_cast<std::int32_t>(reg.id())));
  }
  a.mov(eax, kFlags);
  a.push(rax);
  a.popfq();
  a.lea(rax, ptr(r11, static_cast<std::int32_t>(rax.id())));
  a.lea(r11, ptr(r11, static_cast<std::int32_t>(r11.id())));
}

// No instruction here touches the flags.
void call_back(Assembler& a) {
  a.mov(edi, index());
  a.mov(rsi, context());
  for (const Gp& reg : {edx, ecx, r8d}) a.mov(reg, 0);
  a.call(callback());
}

}  // namespace

std::vector<std::uint8_t> loop_routine_x86_64() {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kX64)) == asmjit::kErrorOk);
  Assembler a(&code);
  const asmjit::Label again = a.newLabel();
  const asmjit::Label finished = a.newLabel();
  const asmjit::Label done = a.newLabel();
  a.push(rbp);
  a.mov(rbp, rsp);
  for (const Gp& reg : kSaved) a.push(reg);
  a.sub(rsp, kFrameSize - 8 * static_cast<int>(std::size(kSaved)));
  a.mov(count(), edi);
  a.mov(callback(), rsi);
  a.mov(context(), rdx);
  a.mov(index(), 0);
  a.mov(rax, kLoopBadFlags);
  a.test(rcx, rcx);
  a.jne(done);
  a.mov(rax, kLoopTooBig);
  a.cmp(edi, static_cast<std::uint32_t>(kMaxLoopIterations));
  a.ja(done);
  a.bind(again);
  a.mov(eax, index());
  a.cmp(eax, count());
  a.jae(finished);
  scramble(a);
  call_back(a);
  a.inc(index());
  a.test(rax, rax);
  a.je(again);
  a.bind(finished);
  a.mov(eax, index());
  a.bind(done);
  a.lea(rsp, ptr(rbp, -8 * static_cast<int>(std::size(kSaved))));
  for (std::size_t i = std::size(kSaved); i-- > 0;) a.pop(kSaved[i]);
  a.pop(rbp);
  a.ret();
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  return {buffer.begin(), buffer.end()};
}

}  // namespace plumb::machine
