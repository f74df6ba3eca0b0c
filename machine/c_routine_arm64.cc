// SPDX-License-Identifier: GPL-2.0-or-later
#include <asmjit/arm/a64assembler.h>

#include "core/check.h"
#include "machine/c_routine.h"

namespace plumb::machine {
namespace {

using namespace asmjit::a64;  // NOLINT(google-build-using-namespace): registers by their names

constexpr std::uint32_t kFirstSaved = 19;
constexpr std::uint32_t kLastSaved = 28;
constexpr int kSavedBytes = 8 * static_cast<int>(kLastSaved - kFirstSaved + 1);
// x29 -> the record, with what is saved above it; the state lies below.
constexpr int kRecordAndSaved = 16 + kSavedBytes;
constexpr int kRoom = 8 * (kStateWords + kOutgoingWords);
static_assert(kRecordAndSaved % 16 == 0 && kRoom % 16 == 0);
Mem saved(std::uint32_t reg) { return ptr(sp, 16 + 8 * static_cast<int>(reg - kFirstSaved)); }

}  // namespace

CRoutine c_routine_arm64() {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kAArch64)) == asmjit::kErrorOk);
  Assembler a(&code);
  const asmjit::Label step = a.newLabel();
  const asmjit::Label call = a.newLabel();
  const asmjit::Label end = a.newLabel();
  a.stp(x29, x30, ptr_pre(sp, -kRecordAndSaved));
  a.mov(x29, sp);
  for (std::uint32_t i = kFirstSaved; i < kLastSaved; i += 2) a.stp(GpX(i), GpX(i + 1), saved(i));
  a.sub(sp, sp, kRoom);
  a.b(step);
  a.bind(step);
  a.cbz(x9, end);
  a.bind(call);
  a.blr(x9);
  a.b(step);
  a.bind(end);
  a.mov(sp, x29);
  for (std::uint32_t i = kFirstSaved; i < kLastSaved; i += 2) a.ldp(GpX(i), GpX(i + 1), saved(i));
  a.ldp(x29, x30, ptr_post(sp, kRecordAndSaved));
  a.ret(x30);
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  return {.code = {buffer.begin(), buffer.end()},
          .step = code.labelOffset(step),
          .call = code.labelOffset(call),
          .end = code.labelOffset(end),
          .target_register = 9,
          .state_below = std::int64_t{8} * kStateWords};
}

}  // namespace plumb::machine
