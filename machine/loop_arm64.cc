// SPDX-License-Identifier: GPL-2.0-or-later
#include <asmjit/arm/a64assembler.h>

#include "core/check.h"
#include "core/helper_model.h"
#include "machine/loop_routine.h"

namespace plumb::machine {
namespace {

using namespace asmjit::a64;  // NOLINT(google-build-using-namespace): registers by their names

constexpr std::uint32_t kFlags = 0xf000;  // N Z C V, in the upper half of 32 bits

// The frame:
//
//   sp + 120  index
//   sp + 112  context
//   sp + 104  callback
//   sp + 96   count
//   sp + 16   x19 ... x28
//   sp        frame record: x29, x30
constexpr int kFrameSize = 128;
constexpr std::uint32_t kFirstSaved = 19;
constexpr std::uint32_t kLastSaved = 28;
Mem count() { return ptr(sp, 96); }
Mem callback() { return ptr(sp, 104); }
Mem context() { return ptr(sp, 112); }
Mem index() { return ptr(sp, 120); }
Mem saved(std::uint32_t reg) { return ptr(sp, 16 + 8 * static_cast<int>(reg - kFirstSaved)); }

void load(Assembler& a, const Gp& reg, std::uint64_t value) {
  a.movz(reg, value & 0xffff);
  for (int shift = 16; shift < 64; shift += 16) a.movk(reg, value >> shift & 0xffff, shift);
}

// x5 ... x28, which leaves x0 ... x4 for the arguments.
void scramble(Assembler& a) {
  load(a, x17, kScrambledRegister);
  a.movz(x16, kFlags, 16);
  a.msr(asmjit::Imm(Predicate::SysReg::kNZCV), x16);
  for (std::uint32_t i = 5; i <= kLastSaved; ++i) {
    if (i != x17.id()) a.add(GpX(i), x17, i);
  }
  a.add(x17, x17, x17.id());
}

// No instruction here touches the flags.
void call_back(Assembler& a) {
  a.ldr(w0, index());
  a.ldr(x1, context());
  for (const GpX& reg : {x2, x3, x4}) a.movz(reg, 0);
  a.ldr(x9, callback());
  a.blr(x9);
}

}  // namespace

LoopRoutine loop_routine_arm64() {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kAArch64)) == asmjit::kErrorOk);
  Assembler a(&code);
  const asmjit::Label again = a.newLabel();
  const asmjit::Label finished = a.newLabel();
  const asmjit::Label done = a.newLabel();
  a.stp(x29, x30, ptr_pre(sp, -kFrameSize));
  a.mov(x29, sp);
  for (std::uint32_t i = kFirstSaved; i < kLastSaved; i += 2) a.stp(GpX(i), GpX(i + 1), saved(i));
  a.str(w0, count());
  a.str(x1, callback());
  a.str(x2, context());
  a.str(wzr, index());
  a.mov(w9, w0);
  load(a, x0, kLoopBadFlags);
  a.cbnz(x3, done);
  load(a, x0, kLoopTooBig);
  a.movz(w8, kMaxLoopIterations >> 16, 16);
  a.cmp(w9, w8);
  a.b_hi(done);
  a.bind(again);
  a.ldr(w8, index());
  a.ldr(w9, count());
  a.cmp(w8, w9);
  a.b_hs(finished);
  scramble(a);
  call_back(a);
  a.ldr(w8, index());
  a.add(w8, w8, 1);
  a.str(w8, index());
  a.cbz(x0, again);
  a.bind(finished);
  a.ldr(w0, index());
  a.b(done);  // so that what follows is a block of its own
  a.bind(done);
  for (std::uint32_t i = kFirstSaved; i < kLastSaved; i += 2) a.ldp(GpX(i), GpX(i + 1), saved(i));
  a.ldp(x29, x30, ptr_post(sp, kFrameSize));
  a.ret(x30);
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  return {.code = {buffer.begin(), buffer.end()}, .end = code.labelOffset(done)};
}

static_assert(kMaxLoopIterations % 0x10000 == 0 && kMaxLoopIterations >> 32 == 0);

}  // namespace plumb::machine
