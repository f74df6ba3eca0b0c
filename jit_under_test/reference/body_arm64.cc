// SPDX-License-Identifier: GPL-2.0-or-later
//
// BPF instructions on arm64. A 32-bit operation clears the upper half of its register by itself.
#include <array>

#include "core/check.h"
#include "jit_under_test/reference/emitter_arm64.h"

namespace plumb::jit::reference {

using namespace asmjit;  // NOLINT: registers are named as in assembly
using a64::x0;
using a64::x1;
using a64::x10;
using a64::x11;
using a64::x29;
using a64::x7;

namespace {

constexpr std::array kRegisters{7, 0, 1, 2, 3, 4, 19, 20, 21, 22, 25};
constexpr int kX10 = 10;
constexpr int kX12 = 12;
// Reach of loads and stores with an unscaled offset (LDUR, STUR).
constexpr int kLeastOffset = -256;
constexpr int kMostOffset = 255;

a64::CondCode condition(Operation operation) {
  switch (operation) {
    case Operation::kJeq:
      return a64::CondCode::kEQ;
    case Operation::kJgt:
      return a64::CondCode::kHI;
    case Operation::kJge:
      return a64::CondCode::kHS;
    case Operation::kJlt:
      return a64::CondCode::kLO;
    case Operation::kJle:
      return a64::CondCode::kLS;
    case Operation::kJsgt:
      return a64::CondCode::kGT;
    case Operation::kJsge:
      return a64::CondCode::kGE;
    case Operation::kJslt:
      return a64::CondCode::kLT;
    case Operation::kJsle:
      return a64::CondCode::kLE;
    default:  // Jne, Jset
      return a64::CondCode::kNE;
  }
}

}  // namespace

a64::Gp EmitterArm64::sized(int hardware, int width) {
  const auto number = static_cast<std::uint32_t>(hardware);
  if (width == 64) return a64::x(number);
  return a64::w(number);
}

a64::Gp EmitterArm64::reg(int bpf, int width) const {
  return sized(kRegisters[static_cast<std::size_t>(bpf)], width);
}

int EmitterArm64::r10_defect() const {
  if (has(Defect::kR10TooHigh)) return 8;
  return has(Defect::kR10FarTooLow) ? -1024 : 0;
}

void EmitterArm64::move_immediate(const Gp& to, std::uint64_t value) {
  a_.movz(to, value & 0xffff);
  for (std::uint32_t shift = 16; shift < 64; shift += 16) {
    const std::uint64_t part = value >> shift & 0xffff;
    if (part != 0) a_.movk(to, part, shift);
  }
}

// The second operand in a register: x10 for a constant.
a64::Gp EmitterArm64::operand(const OpcodeInfo& info, const Insn& insn) {
  if (info.operand != Operand::kImm) return reg(insn.src, info.width);
  move_immediate(x10, static_cast<std::uint64_t>(std::int64_t{insn.immediate}));
  return sized(kX10, info.width);
}

void EmitterArm64::jump(const Label& target) { a_.b(target); }

void EmitterArm64::instruction(const OpcodeInfo& info, const Insn* insn) {
  switch (info.operation) {
    case Operation::kMov:
      return move(info, *insn);
    case Operation::kMovsx:
      return sign_extend(info, *insn);
    case Operation::kDiv:
    case Operation::kMod:
    case Operation::kSdiv:
    case Operation::kSmod:
      return divide(info, *insn);
    case Operation::kToLe:
    case Operation::kToBe:
    case Operation::kBswap:
      return byte_order(info, *insn);
    case Operation::kJa:
      return jump(target_of(*insn));
    case Operation::kLoad:
    case Operation::kLoadSigned:
      return load(info, *insn);
    case Operation::kStore:
      return store(info, *insn);
    case Operation::kThrow:
      return call_throw();
    case Operation::kCallHelper:
      return call_helper(*insn);
    case Operation::kCallFunction:
      return call_function(*insn);
    case Operation::kLoadImm64:
    case Operation::kLoadArray:
    case Operation::kLoadRegion:
      return move_immediate(reg(insn->dst), wide_value(info, insn));
    case Operation::kLoadFunction:
      a_.adr(reg(insn->dst), callee(*insn));
      return;
    default:
      if (is_conditional_jump(info.operation)) return conditional_jump(info, *insn);
      return is_atomic(info.operation) ? atomic(info, *insn) : alu(info, *insn);
  }
}

// ---- arithmetic ----

void EmitterArm64::alu(const OpcodeInfo& info, const Insn& insn) {
  const bool is_shift = info.operation == Operation::kLsh || info.operation == Operation::kRsh ||
                        info.operation == Operation::kArsh;
  OpcodeInfo as = info;
  if (has(Defect::kAdd32KeepsUpper) && info.operation == Operation::kAdd) as.width = 64;
  if (has(Defect::kShift32As64) && is_shift) as.width = 64;
  const Gp dst = reg(insn.dst, as.width);
  if (info.operation == Operation::kNeg) {
    a_.neg(dst, dst);
    return;
  }
  const Gp src = operand(as, insn);
  switch (info.operation) {
    case Operation::kAdd:
      a_.add(dst, dst, src);
      return;
    case Operation::kSub:
      a_.sub(dst, dst, src);
      return;
    case Operation::kMul:
      a_.mul(dst, dst, src);
      return;
    case Operation::kOr:
      a_.orr(dst, dst, src);
      return;
    case Operation::kAnd:
      a_.and_(dst, dst, src);
      return;
    case Operation::kXor:
      a_.eor(dst, dst, src);
      return;
    case Operation::kLsh:
      a_.lsl(dst, dst, src);
      return;
    case Operation::kRsh:
      a_.lsr(dst, dst, src);
      return;
    default:
      PLUMB_CHECK(info.operation == Operation::kArsh);
      a_.asr(dst, dst, src);
  }
}

void EmitterArm64::move(const OpcodeInfo& info, const Insn& insn) {
  const Gp dst = reg(insn.dst, info.width);
  if (info.operand == Operand::kImm) {
    const std::uint64_t value = info.width == 32
                                    ? static_cast<std::uint32_t>(insn.immediate)
                                    : static_cast<std::uint64_t>(std::int64_t{insn.immediate});
    return move_immediate(reg(insn.dst), value);
  }
  a_.mov(dst, reg(insn.src, info.width));
  const int wrong = insn.src == kFramePointerRegister ? r10_defect() : 0;
  if (wrong < 0) a_.sub(dst, dst, -wrong);
  if (wrong > 0) a_.add(dst, dst, wrong);
}

void EmitterArm64::sign_extend(const OpcodeInfo& info, const Insn& insn) {
  const Gp dst = reg(insn.dst, info.width);
  const Gp src = reg(insn.src, 32);
  if (has(Defect::kMovsxIsMov)) {
    a_.mov(dst, reg(insn.src, info.width));
  } else if (info.selector_value == 8) {
    a_.sxtb(dst, src);
  } else if (info.selector_value == 16) {
    a_.sxth(dst, src);
  } else {
    a_.sxtw(dst, src);
  }
}

// The processor divides as RFC 9669 section 4.1 wants it: by zero gives 0.
void EmitterArm64::divide(const OpcodeInfo& info, const Insn& insn) {
  const bool is_signed = info.operation == Operation::kSdiv || info.operation == Operation::kSmod;
  const bool is_modulo = info.operation == Operation::kMod || info.operation == Operation::kSmod;
  const Gp dst = reg(insn.dst, info.width);
  const Gp src = operand(info, insn);
  const Gp quotient = is_modulo ? sized(kX12, info.width) : dst;
  is_signed ? a_.sdiv(quotient, dst, src) : a_.udiv(quotient, dst, src);
  if (!is_modulo) return;
  if (!has(Defect::kModuloZeroIsZero)) {
    a_.msub(dst, quotient, src, dst);
    return;
  }
  a_.msub(quotient, quotient, src, dst);
  a_.cmp(src, 0);
  a_.csel(dst, src, quotient, a64::CondCode::kEQ);
}

void EmitterArm64::byte_order(const OpcodeInfo& info, const Insn& insn) {
  const int width = info.selector_value;
  const bool swaps = info.operation != Operation::kToLe;
  const Gp whole = reg(insn.dst);
  const Gp low = reg(insn.dst, 32);
  if (width == 16) {
    if (swaps) a_.rev16(whole, whole);
    if (!has(Defect::kSwap16KeepsUpper)) a_.uxth(low, low);
  } else if (width == 32) {
    swaps ? a_.rev(low, low) : a_.mov(low, low);
  } else if (swaps) {
    a_.rev(whole, whole);
  }
}

// ---- jumps ----

void EmitterArm64::conditional_jump(const OpcodeInfo& info, const Insn& insn) {
  OpcodeInfo as = info;
  if (has(Defect::kJump32As64)) as.width = 64;
  const Gp dst = reg(insn.dst, as.width);
  const Gp src = operand(as, insn);
  info.operation == Operation::kJset ? a_.tst(dst, src) : a_.cmp(dst, src);
  if (has(Defect::kLoopsForever) && insn.offset < 0) return jump(target_of(insn));
  Operation operation = info.operation;
  if (has(Defect::kGreaterIsSigned) && operation == Operation::kJgt) operation = Operation::kJsgt;
  if (!is_far(insn)) {
    a_.b(condition(operation), target_of(insn));
    return;
  }
  const Label near = a_.newLabel();
  a_.b(asmjit::arm::negateCond(condition(operation)), near);
  jump(target_of(insn));
  a_.bind(near);
}

// ---- memory ----

a64::Mem EmitterArm64::memory(const Insn& insn, int base) {
  const int offset = insn.offset + (base == kFramePointerRegister ? r10_defect() : 0);
  if (offset >= kLeastOffset && offset <= kMostOffset) return a64::ptr(reg(base), offset);
  move_immediate(x11, static_cast<std::uint64_t>(std::int64_t{offset}));
  a_.add(x11, reg(base), x11);
  return a64::ptr(x11, 0);
}

void EmitterArm64::load(const OpcodeInfo& info, const Insn& insn) {
  const Mem from = memory(insn, insn.src);
  const Gp to = reg(insn.dst);
  const Gp low = reg(insn.dst, 32);
  bool is_signed = info.operation == Operation::kLoadSigned;
  if (has(Defect::kLoad16SignExtends) && info.width == 16) is_signed = true;
  switch (info.width) {
    case 8:
      is_signed ? a_.ldursb(to, from) : a_.ldurb(low, from);
      return;
    case 16:
      is_signed ? a_.ldursh(to, from) : a_.ldurh(low, from);
      return;
    case 32:
      is_signed ? a_.ldursw(to, from) : a_.ldur(low, from);
      return;
    default:
      a_.ldur(to, from);
  }
}

void EmitterArm64::store(const OpcodeInfo& info, const Insn& insn) {
  const Mem to = memory(insn, insn.dst);
  int from = kX10;
  if (info.operand == Operand::kReg) {
    from = kRegisters[insn.src];
  } else {
    auto value = static_cast<std::uint64_t>(std::int64_t{insn.immediate});
    if (has(Defect::kStoreImm64Zeroes)) value &= 0xffff'ffff;
    move_immediate(x10, value);
  }
  switch (has(Defect::kStore8Writes16) && info.width == 8 ? 16 : info.width) {
    case 8:
      a_.sturb(sized(from, 32), to);
      return;
    case 16:
      a_.sturh(sized(from, 32), to);
      return;
    case 32:
      a_.stur(sized(from, 32), to);
      return;
    default:
      a_.stur(sized(from, 64), to);
  }
}

// With the LSE instructions: the old value goes to the destination, x12 where nobody wants it.
void EmitterArm64::atomic(const OpcodeInfo& info, const Insn& insn) {
  const int wrong = insn.dst == kFramePointerRegister ? r10_defect() : 0;
  move_immediate(x11, static_cast<std::uint64_t>(std::int64_t{insn.offset + wrong}));
  a_.add(x11, reg(insn.dst), x11);
  const Mem at = a64::ptr(x11);
  const Gp src = reg(insn.src, info.width);
  const Gp nowhere = sized(kX12, info.width);
  const Gp inverse = sized(kX10, info.width);
  switch (info.operation) {
    case Operation::kAtomicAdd:
      a_.ldaddal(src, nowhere, at);
      return;
    case Operation::kAtomicAddFetch:
      a_.ldaddal(src, has(Defect::kFetchLost) ? nowhere : src, at);
      return;
    case Operation::kAtomicOr:
      a_.ldsetal(src, nowhere, at);
      return;
    case Operation::kAtomicOrFetch:
      a_.ldsetal(src, src, at);
      return;
    case Operation::kAtomicXor:
      a_.ldeoral(src, nowhere, at);
      return;
    case Operation::kAtomicXorFetch:
      a_.ldeoral(src, src, at);
      return;
    case Operation::kAtomicAnd:
    case Operation::kAtomicAndFetch:
      a_.mvn(inverse, src);
      a_.ldclral(inverse, info.operation == Operation::kAtomicAnd ? nowhere : src, at);
      return;
    case Operation::kXchg:
      a_.swpal(src, src, at);
      return;
    default:
      PLUMB_CHECK(info.operation == Operation::kCmpxchg);
      a_.casal(reg(0, info.width), src, at);
  }
}

// ---- calls ----

void EmitterArm64::call_helper(const Insn& insn) {
  if (has(Defect::kOddStackAtHelpers)) allocate(8);
  if (has(Defect::kHelperArgumentLost)) a_.mov(x1, x0);
  move_immediate(x10, stub(insn.immediate));
  a_.blr(x10);
  if (has(Defect::kOddStackAtHelpers)) give_back(8);
  a_.mov(x7, x0);
}

void EmitterArm64::call_throw() {
  const FrameState body = notes().state();
  if (has(Defect::kThrowLeavesFrame)) {
    a_.ldr(x29, a64::ptr(x29));
    notes().taken_over(here(), body.sp, std::nullopt, *body.fp_at, *body.ra_at);
  }
  call_helper({.immediate = kThrowStub});
  notes().restore(here(), body);
}

void EmitterArm64::call_function(const Insn& insn) {
  a_.bl(callee(insn));
  has(Defect::kResultTruncated) ? a_.sxtw(x7, a64::w0) : a_.mov(x7, x0);
}

}  // namespace plumb::jit::reference
