// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/native_stubs.h"

#include <asmjit/x86.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/native/loop_routine.h"

namespace plumb::machine {
namespace {

using namespace asmjit::x86;  // NOLINT(google-build-using-namespace): registers by their names

constexpr std::uint8_t kInt3 = 0xcc;
constexpr std::uint8_t kJmpRel32 = 0xe9;
constexpr int kScrambledBelow = 256;     // bytes, as in the emulator
constexpr int kScrambled = -0x5c5c5c60;  // sign-extended: not this process's, whatever is added

// A function by itself, at any address.
template <typename Write>
std::vector<std::uint8_t> assembled(const Write& write) {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kX64)) == asmjit::kErrorOk);
  Assembler a(&code);
  write(a);
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  return {buffer.begin(), buffer.end()};
}

void scramble_below(Assembler& a, int bytes) {
  for (int at = 8; at <= bytes; at += 8) a.mov(qword_ptr(rsp, -at), kScrambled);
}

std::vector<std::uint8_t> helper_function(NativeHelpers helpers) {
  return assembled([=](Assembler& a) {
    scramble_below(a, helpers == NativeHelpers::kThorough ? kScrambledBelow : 8);
    for (const Gp& reg : {rcx, rdx, rsi, rdi, r8, r9, r10, r11}) {
      a.mov(reg, kScrambled + static_cast<int>(reg.id()));
    }
    a.mov(rax, kNativeHelperResult);
    a.ret();
  });
}

std::vector<std::uint8_t> thorough_loop() {
  std::vector<std::uint8_t> code =
      assembled([](Assembler& a) { scramble_below(a, kScrambledBelow); });
  const std::vector<std::uint8_t> loop = loop_routine_x86_64();
  code.insert(code.end(), loop.begin(), loop.end());
  return code;
}

// bpf_loop as a compiler makes it.
std::vector<std::uint8_t> quick_loop() {
  return assembled([](Assembler& a) {
    const asmjit::Label again = a.newLabel();
    const asmjit::Label finished = a.newLabel();
    const asmjit::Label done = a.newLabel();
    a.push(rbp);
    a.mov(rbp, rsp);
    for (const Gp& reg : {r14, r13, r12, rbx}) a.push(reg);
    a.mov(rax, kLoopBadFlags);
    a.test(rcx, rcx);
    a.jne(done);
    a.mov(rax, kLoopTooBig);
    a.cmp(edi, static_cast<std::uint32_t>(kMaxLoopIterations));
    a.ja(done);
    a.mov(r12d, edi);
    a.mov(r13, rsi);
    a.mov(r14, rdx);
    a.xor_(ebx, ebx);
    a.bind(again);
    a.cmp(ebx, r12d);
    a.jae(finished);
    a.mov(edi, ebx);
    a.mov(rsi, r14);
    a.call(r13);
    a.inc(ebx);
    a.test(rax, rax);
    a.je(again);
    a.bind(finished);
    a.mov(eax, ebx);
    a.bind(done);
    for (const Gp& reg : {rbx, r12, r13, r14}) a.pop(reg);
    a.pop(rbp);
    a.ret();
  });
}

}  // namespace

Result<std::vector<std::uint8_t>> native_stubs(const Placement& placement, NativeHelpers helpers) {
  const std::uint64_t routines = placement.routines - placement.stubs.address;
  if (!placement.helpers.empty() || routines >= placement.stubs.size) {
    return fail("the stubs of helpers are not where native code can have them");
  }
  std::vector<std::uint8_t> bytes(placement.stubs.size, kInt3);
  const auto put = [&](std::uint64_t offset, const std::vector<std::uint8_t>& code) {
    PLUMB_CHECK(code.size() <= bytes.size() - offset);
    std::ranges::copy(code, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  const auto loop = helpers == NativeHelpers::kThorough ? thorough_loop() : quick_loop();
  const std::uint64_t helper = routines + (loop.size() + 63) / 64 * 64;
  put(routines, loop);
  put(helper, helper_function(helpers));
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
