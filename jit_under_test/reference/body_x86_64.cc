// SPDX-License-Identifier: GPL-2.0-or-later
//
// BPF instructions on x86-64. A 32-bit operation clears the upper half of its register by itself.
#include <array>

#include "core/check.h"
#include "jit_under_test/reference/emitter_x86_64.h"

namespace plumb::jit::reference {

using namespace asmjit;  // NOLINT: registers are named as in assembly
using x86::cl;
using x86::r10;
using x86::r11;
using x86::r9;
using x86::rax;
using x86::rbp;
using x86::rcx;
using x86::rdx;
using x86::rsp;

namespace {

constexpr std::array kRegisters{0, 7, 6, 2, 1, 8, 3, 13, 14, 15};  // R0 ... R9
constexpr int kRcx = 1;
constexpr int kR11 = 11;

std::uint32_t size_of(int width) { return static_cast<std::uint32_t>(width / 8); }

x86::CondCode condition(Operation operation) {
  switch (operation) {
    case Operation::kJeq:
      return x86::CondCode::kE;
    case Operation::kJgt:
      return x86::CondCode::kA;
    case Operation::kJge:
      return x86::CondCode::kAE;
    case Operation::kJlt:
      return x86::CondCode::kB;
    case Operation::kJle:
      return x86::CondCode::kBE;
    case Operation::kJsgt:
      return x86::CondCode::kG;
    case Operation::kJsge:
      return x86::CondCode::kGE;
    case Operation::kJslt:
      return x86::CondCode::kL;
    case Operation::kJsle:
      return x86::CondCode::kLE;
    default:  // Jne, Jset
      return x86::CondCode::kNE;
  }
}

}  // namespace

int EmitterX86::hardware(int bpf) const {
  return bpf == kFramePointerRegister ? frame().r10_register
                                      : kRegisters[static_cast<std::size_t>(bpf)];
}

x86::Gp EmitterX86::sized(int hardware, int width) {
  const auto number = static_cast<std::uint32_t>(hardware);
  if (width == 8) return x86::gpb(number);
  if (width == 16) return x86::gpw(number);
  if (width == 32) return x86::gpd(number);
  return x86::gpq(number);
}

x86::Gp EmitterX86::reg(int bpf, int width) const { return sized(hardware(bpf), width); }

// The proposal of June 2019 corrects every access that names R10 in either operand: also the store
// of R10 itself through another pointer, which it should not.
int EmitterX86::bias(const Insn& insn) const {
  const bool names_r10 = insn.dst == kFramePointerRegister || insn.src == kFramePointerRegister;
  int extra = 0;
  if (has(Defect::kR10TooHigh)) extra = 8;
  if (has(Defect::kR10MuchTooHigh)) extra = 16;
  if (has(Defect::kR10FarTooLow)) extra = -1024;
  return names_r10 ? frame().r10_bias + extra : 0;
}

x86::Mem EmitterX86::memory(const Insn& insn, int base, int width) const {
  return x86::Mem(reg(base), insn.offset + bias(insn), size_of(width));
}

void EmitterX86::jump(const Label& target) { a_.jmp(target); }

void EmitterX86::instruction(const OpcodeInfo& info, const Insn* insn) {
  switch (info.operation) {
    case Operation::kMov:
      return move(info, *insn);
    case Operation::kMovsx:
      return sign_extend(info, *insn);
    case Operation::kLsh:
    case Operation::kRsh:
    case Operation::kArsh:
      return shift(info, *insn);
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
      a_.movabs(reg(insn->dst), wide_value(info, insn));
      return;
    case Operation::kLoadFunction:
      a_.lea(reg(insn->dst), x86::ptr(callee(*insn)));
      return;
    default:
      if (is_conditional_jump(info.operation)) return conditional_jump(info, *insn);
      return is_atomic(info.operation) ? atomic(info, *insn) : alu(info, *insn);
  }
}

// ---- arithmetic ----

void EmitterX86::alu(const OpcodeInfo& info, const Insn& insn) {
  const bool widens = has(Defect::kAdd32KeepsUpper) && info.operation == Operation::kAdd;
  const int width = widens ? 64 : info.width;
  const Gp dst = reg(insn.dst, width);
  if (info.operation == Operation::kNeg) {
    a_.neg(dst);
    return;
  }
  const auto emit = [&](const auto& source) {
    switch (info.operation) {
      case Operation::kAdd:
        a_.add(dst, source);
        return;
      case Operation::kSub:
        a_.sub(dst, source);
        return;
      case Operation::kOr:
        a_.or_(dst, source);
        return;
      case Operation::kAnd:
        a_.and_(dst, source);
        return;
      case Operation::kXor:
        a_.xor_(dst, source);
        return;
      default:
        PLUMB_CHECK(info.operation == Operation::kMul);
        if constexpr (std::is_same_v<std::decay_t<decltype(source)>, Gp>) {
          a_.imul(dst, source);
        } else {
          a_.imul(dst, dst, source);
        }
    }
  };
  info.operand == Operand::kImm ? emit(Imm(insn.immediate)) : emit(reg(insn.src, width));
}

void EmitterX86::move(const OpcodeInfo& info, const Insn& insn) {
  const Gp dst = reg(insn.dst, info.width);
  if (info.operand == Operand::kImm) {
    a_.mov(dst, insn.immediate);
    return;
  }
  a_.mod_mr().mov(dst, reg(insn.src, info.width));
  if (insn.src == kFramePointerRegister && bias(insn) != 0) a_.add(dst, bias(insn));
}

void EmitterX86::sign_extend(const OpcodeInfo& info, const Insn& insn) {
  const Gp dst = reg(insn.dst, info.width);
  const Gp src = reg(insn.src, info.selector_value);
  if (has(Defect::kMovsxIsMov)) {
    a_.mov(dst, reg(insn.src, info.width));
  } else if (info.selector_value == 32) {
    a_.movsxd(dst, src);
  } else {
    a_.movsx(dst, src);
  }
}

// Counts come in cl, R4's register: R4 is kept in r11 meanwhile, and shifted there when it is the
// destination.
void EmitterX86::shift(const OpcodeInfo& info, const Insn& insn) {
  const int width = has(Defect::kShift32As64) ? 64 : info.width;
  const auto emit = [&](const Gp& dst, const auto& count) {
    if (info.operation == Operation::kLsh) {
      a_.shl(dst, count);
    } else if (info.operation == Operation::kRsh) {
      a_.shr(dst, count);
    } else {
      a_.sar(dst, count);
    }
  };
  if (info.operand == Operand::kImm) {
    return emit(reg(insn.dst, width), Imm(insn.immediate & (info.width - 1)));
  }
  const bool in_r11 = hardware(insn.dst) == kRcx;
  const bool moves = hardware(insn.src) != kRcx;
  if (in_r11 || moves) a_.mov(r11, rcx);
  if (moves) a_.mov(rcx, reg(insn.src));
  emit(in_r11 ? sized(kR11, width) : reg(insn.dst, width), cl);
  if (in_r11 || moves) a_.mov(rcx, r11);
}

// RFC 9669, section 4.1: x / 0 = 0, x % 0 = x; the smallest number / -1 is itself, % -1 is 0.
void EmitterX86::divide(const OpcodeInfo& info, const Insn& insn) {
  const bool is_signed = info.operation == Operation::kSdiv || info.operation == Operation::kSmod;
  const bool is_modulo = info.operation == Operation::kMod || info.operation == Operation::kSmod;
  const Gp dst = reg(insn.dst, info.width);
  const Gp divisor = sized(kR11, info.width);
  const Gp low = sized(0, info.width);
  const Gp high = sized(2, info.width);
  const Label by_zero = a_.newLabel();
  const Label by_minus_one = a_.newLabel();
  const Label done = a_.newLabel();
  if (info.operand == Operand::kImm) {
    a_.mov(divisor, insn.immediate);
  } else {
    a_.mov(divisor, reg(insn.src, info.width));
  }
  a_.test(divisor, divisor);
  if (!has(Defect::kDivisionByZeroTraps)) a_.je(by_zero);
  if (is_signed) a_.cmp(divisor, -1);
  if (is_signed && !has(Defect::kDivisionOverflowTraps)) a_.je(by_minus_one);
  a_.mov(r10, rax);
  has(Defect::kWritesBelowSp) ? (void)a_.mov(x86::qword_ptr(rsp, -8), rdx) : push(rdx);
  a_.mov(low, dst);
  if (!is_signed) {
    a_.xor_(x86::edx, x86::edx);
    a_.div(divisor);
  } else {
    info.width == 64 ? a_.cqo() : a_.cdq();
    a_.idiv(divisor);
  }
  a_.mov(divisor, is_modulo ? high : low);
  has(Defect::kWritesBelowSp) ? (void)a_.mov(rdx, x86::qword_ptr(rsp, -8)) : pop(rdx);
  if (has(Defect::kDivisionLosesR3)) a_.mov(rdx, rax);
  a_.mov(rax, r10);
  a_.mov(dst, divisor);
  a_.jmp(done);
  a_.bind(by_zero);
  if (!is_modulo || has(Defect::kModuloZeroIsZero)) {
    a_.xor_(dst, dst);
  } else if (info.width == 32) {
    a_.mov(dst, dst);
  }
  a_.jmp(done);
  a_.bind(by_minus_one);
  is_modulo ? (void)a_.xor_(dst, dst) : (void)a_.neg(dst);
  a_.bind(done);
}

void EmitterX86::byte_order(const OpcodeInfo& info, const Insn& insn) {
  const int width = info.selector_value;
  const bool swaps = info.operation != Operation::kToLe;
  const Gp low = reg(insn.dst, width);
  if (width == 16) {
    if (swaps) a_.rol(low, 8);
    if (!has(Defect::kSwap16KeepsUpper)) a_.movzx(reg(insn.dst, 32), low);
  } else if (swaps) {
    a_.bswap(low);
  } else if (width == 32) {
    a_.mov(low, low);
  }
}

// ---- jumps ----

void EmitterX86::conditional_jump(const OpcodeInfo& info, const Insn& insn) {
  const int width = has(Defect::kJump32As64) ? 64 : info.width;
  const Gp dst = reg(insn.dst, width);
  const bool is_test = info.operation == Operation::kJset;
  if (info.operand == Operand::kImm) {
    is_test ? a_.test(dst, insn.immediate) : a_.cmp(dst, insn.immediate);
  } else {
    is_test ? a_.test(dst, reg(insn.src, width)) : a_.cmp(dst, reg(insn.src, width));
  }
  const bool endless = has(Defect::kLoopsForever) && insn.offset < 0;
  if (endless) return jump(target_of(insn));
  Operation operation = info.operation;
  if (has(Defect::kGreaterIsSigned) && operation == Operation::kJgt) operation = Operation::kJsgt;
  a_.j(condition(operation), target_of(insn));
}

// ---- memory ----

void EmitterX86::load(const OpcodeInfo& info, const Insn& insn) {
  const Mem from = memory(insn, insn.src, info.width);
  bool is_signed = info.operation == Operation::kLoadSigned;
  if (has(Defect::kLoad16SignExtends) && info.width == 16) is_signed = true;
  if (is_signed) {
    info.width == 32 ? a_.movsxd(reg(insn.dst), from) : a_.movsx(reg(insn.dst), from);
  } else if (info.width >= 32) {
    a_.mov(reg(insn.dst, info.width), from);
  } else {
    a_.movzx(reg(insn.dst, 32), from);
  }
}

void EmitterX86::store(const OpcodeInfo& info, const Insn& insn) {
  int width = info.width;
  if (has(Defect::kStore8Writes16) && width == 8) width = 16;
  const Mem to = memory(insn, insn.dst, width);
  if (info.operand == Operand::kReg) {
    a_.mov(to, reg(insn.src, width));
    return;
  }
  std::int64_t value = insn.immediate;
  // NOLINTNEXTLINE(bugprone-signed-char-misuse): the sign is meant to go with it
  if (width == 8) value = static_cast<std::int8_t>(value);
  if (width == 16) value = static_cast<std::int16_t>(value);
  if (has(Defect::kStoreImm64Zeroes) && width == 64) {
    a_.mov(x86::Mem(to).cloneResized(4), value);
    a_.mov(x86::Mem(to).cloneAdjusted(4).cloneResized(4), 0);
    return;
  }
  a_.mov(to, value);
}

void EmitterX86::atomic(const OpcodeInfo& info, const Insn& insn) {
  const Mem at = memory(insn, insn.dst, info.width);
  const Gp src = reg(insn.src, info.width);
  switch (info.operation) {
    case Operation::kAtomicAdd:
      a_.lock().add(at, src);
      return;
    case Operation::kAtomicOr:
      a_.lock().or_(at, src);
      return;
    case Operation::kAtomicAnd:
      a_.lock().and_(at, src);
      return;
    case Operation::kAtomicXor:
      a_.lock().xor_(at, src);
      return;
    case Operation::kAtomicAddFetch:
      if (has(Defect::kFetchLost)) {
        a_.lock().add(at, src);
        return;
      }
      a_.lock().xadd(at, src);
      return;
    case Operation::kXchg:
      a_.xchg(at, src);
      return;
    case Operation::kCmpxchg:
      a_.lock().cmpxchg(at, src, sized(0, info.width));
      // Where the comparison holds, the processor leaves the upper half as it was. The emulator
      // clears it (its locked form writes eax always), so no run shows what this line is for.
      if (info.width == 32) a_.mov(x86::eax, x86::eax);
      return;
    default:
      return atomic_loop(info, insn);
  }
}

// fetch_or, fetch_and, fetch_xor: compare and exchange until it holds. R0 is kept in r11.
void EmitterX86::atomic_loop(const OpcodeInfo& info, const Insn& insn) {
  const bool base_is_r0 = insn.dst == 0;
  const Mem at = base_is_r0 ? x86::Mem(r11, insn.offset, size_of(info.width))
                            : memory(insn, insn.dst, info.width);
  const Gp operand = insn.src == 0 ? sized(kR11, info.width) : reg(insn.src, info.width);
  const Gp result = sized(10, info.width);
  const Gp old = sized(0, info.width);
  const Label again = a_.newLabel();
  a_.mov(r11, rax);
  a_.bind(again);
  a_.mov(old, at);
  a_.mov(result, old);
  if (info.operation == Operation::kAtomicOrFetch) a_.or_(result, operand);
  if (info.operation == Operation::kAtomicAndFetch) a_.and_(result, operand);
  if (info.operation == Operation::kAtomicXorFetch) a_.xor_(result, operand);
  a_.lock().cmpxchg(at, result, old);
  a_.short_().jne(again);
  if (insn.src == 0) {
    if (info.width == 32) a_.mov(old, old);
    return;
  }
  a_.mov(reg(insn.src, info.width), old);
  a_.mov(rax, r11);
}

// ---- calls ----

void EmitterX86::reload_count() {
  if (!frame().keeps_count || !frame().count || has(Defect::kNoReload)) return;
  int offset = *frame().count - frame().frame_pointer;
  if (has(Defect::kReloadUnrounded)) offset += frame().stack_size - facts().stack_depth;
  if (has(Defect::kReloadTooHigh)) offset += 8;
  a_.mov(rax, x86::qword_ptr(rbp, offset));
}

void EmitterX86::call_helper(const Insn& insn) {
  if (traits().reload == Reload::kBeforeCalls) reload_count();
  const bool wraps = function_.private_stack != 0;
  if (wraps) push(r9);
  if (has(Defect::kOddStackAtHelpers)) allocate(4);
  if (has(Defect::kHelperArgumentLost)) a_.mov(x86::rsi, x86::rdi);
  a_.call(stub(insn.immediate));
  if (has(Defect::kOddStackAtHelpers)) give_back(4);
  if (wraps) pop(r9);
}

void EmitterX86::call_throw() {
  const FrameState body = notes().state();
  if (has(Defect::kThrowLeavesFrame)) {
    a_.mov(rbp, x86::qword_ptr(rbp));
    notes().taken_over(here(), body.sp, std::nullopt, *body.fp_at, *body.ra_at);
  }
  call_helper({.immediate = kThrowStub});
  notes().restore(here(), body);
}

void EmitterX86::call_function(const Insn& insn) {
  const bool reloads =
      traits().reload == Reload::kBeforeCalls ||
      (traits().reload == Reload::kBeforeReachableCalls && callee_is_reachable(insn));
  if (reloads) reload_count();
  const bool wraps = function_.private_stack != 0 && !has(Defect::kPrivateStackNotKept);
  if (wraps) push(r9);
  if (has(Defect::kCallSkipsPatchSite)) {
    a_.lea(r11, x86::ptr(callee(insn), 5));
    a_.call(r11);
  } else {
    a_.call(callee(insn));
  }
  if (wraps) pop(r9);
  if (has(Defect::kResultTruncated)) a_.movsxd(rax, x86::eax);
}

}  // namespace plumb::jit::reference
