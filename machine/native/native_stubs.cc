// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/native_stubs.h"

#include <asmjit/x86.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/loop_routine.h"

namespace plumb::machine {
namespace {

using namespace asmjit::x86;  // NOLINT(google-build-using-namespace): registers by their names

constexpr std::uint8_t kInt3 = 0xcc;
constexpr std::uint8_t kJmpRel32 = 0xe9;
constexpr int kScrambled = -0x5c5c5c60;  // sign-extended: not this process's, whatever is added

std::vector<std::uint8_t> helper_function() {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kX64)) == asmjit::kErrorOk);
  Assembler a(&code);
  for (const Gp& reg : {rcx, rdx, rsi, rdi, r8, r9, r10, r11}) {
    a.mov(reg, kScrambled + static_cast<int>(reg.id()));
  }
  a.mov(qword_ptr(rsp, -8), kScrambled);
  a.xor_(eax, eax);
  a.ret();
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  return {buffer.begin(), buffer.end()};
}

}  // namespace

Result<std::vector<std::uint8_t>> native_stubs(const Placement& placement) {
  const std::uint64_t routines = placement.routines - placement.stubs.address;
  if (!placement.helpers.empty() || routines >= placement.stubs.size) {
    return fail("the stubs of helpers are not where native code can have them");
  }
  std::vector<std::uint8_t> bytes(placement.stubs.size, kInt3);
  const auto put = [&](std::uint64_t offset, const std::vector<std::uint8_t>& code) {
    PLUMB_CHECK(code.size() <= bytes.size() - offset);
    std::ranges::copy(code, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  const std::vector<std::uint8_t> loop = loop_routine_x86_64().code;
  const std::uint64_t helper = routines + (loop.size() + 63) / 64 * 64;
  put(routines, loop);
  put(helper, helper_function());
  for (const HelperInfo& info : helper_table()) {
    const std::uint64_t address = placement.stub(info.number);
    if (address == 0 || info.number == kTailCallHelper) continue;
    const std::uint64_t stub = address - placement.stubs.address;
    const std::uint64_t target = info.number == kLoopHelper ? routines : helper;
    const auto distance = static_cast<std::int32_t>(target - (stub + 5));
    bytes[stub] = kJmpRel32;
    std::memcpy(&bytes[stub + 1], &distance, sizeof distance);
  }
  return bytes;
}

}  // namespace plumb::machine
