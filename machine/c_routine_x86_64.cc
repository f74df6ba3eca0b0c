// SPDX-License-Identifier: GPL-2.0-or-later
#include <asmjit/x86.h>

#include "core/check.h"
#include "machine/c_routine.h"

namespace plumb::machine {
namespace {

using namespace asmjit::x86;  // NOLINT(google-build-using-namespace): registers by their names

constexpr Gp kSaved[] = {rbx, r12, r13, r14, r15};
constexpr int kSavedBytes = 8 * static_cast<int>(std::size(kSaved));
constexpr int kStateBelow = kSavedBytes + 8 * kStateWords;
// The return address, rbp and five more: an odd number of words. The ABI asks for even ones.
constexpr int kRoom = 8 * (kStateWords + kOutgoingWords) + 8;
static_assert((16 + kSavedBytes + kRoom) % 16 == 0);

}  // namespace

CRoutine c_routine_x86_64() {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kX64)) == asmjit::kErrorOk);
  Assembler a(&code);
  const asmjit::Label step = a.newLabel();
  const asmjit::Label call = a.newLabel();
  const asmjit::Label end = a.newLabel();
  const Mem target = qword_ptr(rbp, -kStateBelow);
  a.push(rbp);
  a.mov(rbp, rsp);
  for (const Gp& reg : kSaved) a.push(reg);
  a.sub(rsp, kRoom);
  a.jmp(step);
  a.bind(step);
  a.cmp(target, 0);
  a.je(end);
  a.bind(call);
  a.call(target);
  a.jmp(step);
  a.bind(end);
  a.lea(rsp, ptr(rbp, -kSavedBytes));
  for (std::size_t i = std::size(kSaved); i-- > 0;) a.pop(kSaved[i]);
  a.pop(rbp);
  a.ret();
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  return {.code = {buffer.begin(), buffer.end()},
          .step = code.labelOffset(step),
          .call = code.labelOffset(call),
          .end = code.labelOffset(end),
          .state_below = kStateBelow};
}

}  // namespace plumb::machine
