// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/interpreter.h"

#include "oracle/alu.h"

namespace plumb::oracle {
namespace {

// The verifier keeps every pointer this close to its object (BPF_MAX_VAR_OFF), so that adding an
// offset to an address never wraps and the order of offsets is the order of addresses.
constexpr std::int64_t kMaxPointerOffset = 1 << 29;

// Most cases store to the stack less often.
constexpr std::size_t kUsualStores = 32;

bool uninitialised(const Value& value) { return value.kind == Value::Kind::kUninitialised; }

// Addresses that only calls understand.
bool opaque(const Value& value) {
  return value.is_pointer() && (value.space == Space::kArray || value.space == Space::kFunction);
}

// Maps the signed order of offsets to the unsigned order of addresses.
std::uint64_t address_rank(const Value& pointer) { return pointer.bits ^ (std::uint64_t{1} << 63); }

bool is_equality(Operation operation) {
  return operation == Operation::kJeq || operation == Operation::kJne;
}

bool is_unsigned_order(Operation operation) {
  return operation == Operation::kJgt || operation == Operation::kJge ||
         operation == Operation::kJlt || operation == Operation::kJle;
}

std::uint64_t low_half(std::uint64_t bits) { return static_cast<std::uint32_t>(bits); }

// A division or a remainder, by a scalar.
bool divides_by_zero(const Op& op, const Value& divisor) {
  const bool divides = op.operation == Operation::kDiv || op.operation == Operation::kSdiv ||
                       op.operation == Operation::kMod || op.operation == Operation::kSmod;
  return divides && (op.width == 64 ? divisor.bits : low_half(divisor.bits)) == 0;
}

}  // namespace

Interpreter::Interpreter(const Case& value, const Contract& contract, const Code& code,
                         Execution& execution)
    : case_(value), contract_(contract), code_(code), execution_(execution), memory_(value) {
  frames_.reserve(kMaxCallDepth);
  execution_.stack_stores.reserve(kUsualStores);
}

CodeDefect Interpreter::run(std::uint64_t fuel) {
  enter(code_.main_function[static_cast<std::size_t>(case_.enter)]);
  Reason reason = Reason::kNone;
  while (!finished_ && reason == Reason::kNone) {
    at_ = pc_;
    if (execution_.instructions == fuel) {
      reason = Reason::kOutOfFuel;
      break;
    }
    ++execution_.instructions;
    const Op& op = code_.ops[pc_++];
    reason = step(op);
  }
  if (reason != Reason::kNone) {
    return {reason, code_.place(frames_.back().function, at_), refused_amount_};
  }
  execution_.defined = true;
  execution_.context = memory_.context();
  execution_.regions.reserve(case_.regions.size());
  for (std::size_t i = 0; i < case_.regions.size(); ++i) {
    execution_.regions.push_back(memory_.region(i));
  }
  return {};
}

Reason Interpreter::step(const Op& op) {
  switch (op.operation) {
    case Operation::kMov:
      return move(op);
    case Operation::kAdd:
    case Operation::kSub:
    case Operation::kMul:
    case Operation::kDiv:
    case Operation::kSdiv:
    case Operation::kOr:
    case Operation::kAnd:
    case Operation::kLsh:
    case Operation::kRsh:
    case Operation::kMod:
    case Operation::kSmod:
    case Operation::kXor:
    case Operation::kArsh:
      return binary(op);
    case Operation::kNeg:
    case Operation::kMovsx:
    case Operation::kToLe:
    case Operation::kToBe:
    case Operation::kBswap:
      return unary(op);
    case Operation::kJeq:
    case Operation::kJgt:
    case Operation::kJge:
    case Operation::kJset:
    case Operation::kJne:
    case Operation::kJsgt:
    case Operation::kJsge:
    case Operation::kJlt:
    case Operation::kJle:
    case Operation::kJslt:
    case Operation::kJsle:
      return branch(op);
    case Operation::kJa:
      pc_ = op.target;
      return Reason::kNone;
    case Operation::kCallHelper:
      return call_helper(op);
    case Operation::kCallFunction:
      return call_function(op);
    case Operation::kThrow:
      return throw_exception();
    case Operation::kExit:
      return exit();
    case Operation::kLoad:
    case Operation::kLoadSigned:
      return load(op);
    case Operation::kStore:
      return store(op);
    case Operation::kAtomicAdd:
    case Operation::kAtomicOr:
    case Operation::kAtomicAnd:
    case Operation::kAtomicXor:
    case Operation::kAtomicAddFetch:
    case Operation::kAtomicOrFetch:
    case Operation::kAtomicAndFetch:
    case Operation::kAtomicXorFetch:
    case Operation::kXchg:
    case Operation::kCmpxchg:
      return atomic(op);
    case Operation::kLoadImm64:
    case Operation::kLoadArray:
    case Operation::kLoadRegion:
    case Operation::kLoadFunction:
      load_wide(op);
      return Reason::kNone;
    case Operation::kMayGoto:
      return Reason::kMayGoto;
    case Operation::kLoadAbs:
    case Operation::kLoadInd:
      return Reason::kPacketAccess;
  }
  return Reason::kUnknownInstruction;
}

Value Interpreter::operand(const Op& op) const {
  return op.immediate ? Value::scalar(op.value) : registers_[op.src];
}

Reason Interpreter::move(const Op& op) {
  const Value src = operand(op);
  if (uninitialised(src)) return Reason::kUninitialisedRegister;
  if (op.width == 64) {
    registers_[op.dst] = src;
    return Reason::kNone;
  }
  if (src.is_pointer()) return Reason::kAddressAsNumber;
  registers_[op.dst] = Value::scalar(low_half(src.bits));
  return Reason::kNone;
}

Reason Interpreter::binary(const Op& op) {
  Value& dst = registers_[op.dst];
  const Value src = operand(op);
  if (!dst.is_scalar() || !src.is_scalar()) return pointer_arithmetic(op, dst, src);
  if (divides_by_zero(op, src)) {
    switch (contract_.division_by_zero) {
      case DivisionByZero::kUnknown:
        return Reason::kDivisionByZero;
      case DivisionByZero::kRfc:
        break;
      case DivisionByZero::kEndsProgram:
        finish(Value::scalar(0));
        return Reason::kNone;
    }
  }
  dst.bits = op.width == 64 ? alu64(op.operation, dst.bits, src.bits)
                            : alu32(op.operation, dst.bits, src.bits);
  return Reason::kNone;
}

// pointer + scalar, scalar + pointer, pointer - scalar; pointer - pointer into the same object.
Reason Interpreter::pointer_arithmetic(const Op& op, Value& dst, const Value& src) const {
  if (uninitialised(dst) || uninitialised(src)) return Reason::kUninitialisedRegister;
  if (op.width != 64) {
    // The verifier lets the privileged subtract, and takes the result for any number.
    const bool number = op.operation == Operation::kSub;
    return number ? Reason::kAddressAsNumber : Reason::kPointerIn32Bits;
  }
  if (opaque(dst) || opaque(src)) return Reason::kOpaquePointer;
  const bool both = dst.is_pointer() && src.is_pointer();
  if (op.operation == Operation::kSub && both) {
    if (const Reason r = related(dst, src); r != Reason::kNone) return r;
    dst = Value::scalar(dst.bits - src.bits);
    return Reason::kNone;
  }
  const bool add = op.operation == Operation::kAdd && !both;
  const bool subtract = op.operation == Operation::kSub && dst.is_pointer();
  if (!add && !subtract) return Reason::kPointerArithmetic;
  Value moved = dst.is_pointer() ? dst : src;
  moved.bits = add ? dst.bits + src.bits : dst.bits - src.bits;
  if (moved.offset() >= kMaxPointerOffset || moved.offset() <= -kMaxPointerOffset) {
    return Reason::kPointerOffsetTooLarge;
  }
  dst = moved;
  return Reason::kNone;
}

// May the addresses be compared? A pointer into a frame that is gone is a mere number: machine and
// oracle may put other frames there.
Reason Interpreter::related(const Value& a, const Value& b) const {
  for (const Value& value : {a, b}) {
    if (value.space == Space::kStack && !memory_.is_live(value.index)) {
      return Reason::kAddressAsNumber;
    }
  }
  return a.space == b.space && a.index == b.index ? Reason::kNone : Reason::kUnrelatedPointers;
}

Reason Interpreter::unary(const Op& op) {
  const bool from_source = op.operation == Operation::kMovsx;
  const Value& value = registers_[from_source ? op.src : op.dst];
  if (uninitialised(value)) return Reason::kUninitialisedRegister;
  if (value.is_pointer()) return Reason::kAddressAsNumber;
  registers_[op.dst] = Value::scalar(convert(op.operation, op.width, op.size, value.bits));
  return Reason::kNone;
}

Reason Interpreter::branch(const Op& op) {
  const Value& dst = registers_[op.dst];
  const Value src = operand(op);
  bool taken = false;
  if (dst.is_scalar() && src.is_scalar()) {
    taken = holds(op.operation, op.width, dst.bits, src.bits);
  } else if (const Reason r = pointer_branch(op, dst, src, taken); r != Reason::kNone) {
    return r;
  }
  if (taken) pc_ = op.target;
  return Reason::kNone;
}

Reason Interpreter::pointer_branch(const Op& op, const Value& dst, const Value& src,
                                   bool& taken) const {
  if (uninitialised(dst) || uninitialised(src)) return Reason::kUninitialisedRegister;
  if (op.width != 64) return Reason::kAddressAsNumber;
  if (opaque(dst) || opaque(src)) return Reason::kOpaquePointer;
  if (dst.is_pointer() && src.is_pointer()) {
    if (!is_equality(op.operation) && !is_unsigned_order(op.operation)) {
      return Reason::kPointerComparison;
    }
    if (const Reason r = related(dst, src); r != Reason::kNone) return r;
    taken = holds(op.operation, 64, address_rank(dst), address_rank(src));
    return Reason::kNone;
  }
  // No pointer is null; how it compares with any other number is the machine's business.
  const Value& pointer = dst.is_pointer() ? dst : src;
  const Value& scalar = dst.is_pointer() ? src : dst;
  if (scalar.bits != 0 || !is_equality(op.operation)) return Reason::kPointerComparison;
  taken = op.operation == Operation::kJne;
  return related(pointer, pointer);
}

Reason Interpreter::load(const Op& op) {
  Value& dst = registers_[op.dst];
  // The base may be the destination itself.
  const Value base = registers_[op.src];
  if (const Reason r = memory_.load(base, op.offset, op.size, dst); r != Reason::kNone) return r;
  if (op.operation == Operation::kLoadSigned) dst.bits = sign_extend(dst.bits, op.width);
  return Reason::kNone;
}

Reason Interpreter::store(const Op& op) {
  const Value& base = registers_[op.dst];
  const Value value = operand(op);
  const Reason r = memory_.store(base, op.offset, op.size, value);
  if (r == Reason::kNone) {
    note_stack_store(StackStore::By::kStore, base, op.offset, op.size, value);
  }
  return r;
}

void Interpreter::note_stack_store(StackStore::By by, const Value& base, std::int64_t offset,
                                   std::uint32_t bytes, const Value& value) {
  if (base.space != Space::kStack) return;
  const bool by_helper = by == StackStore::By::kHelper;
  execution_.stack_stores.push_back(
      {.by = by,
       .size = static_cast<std::uint8_t>(by_helper ? 0 : bytes),
       .helper_size = by_helper ? bytes : 0,
       .at = code_.place(frames_.back().function, at_),
       .event = static_cast<std::int32_t>(execution_.trace.size()) - 1,
       .target = Value::pointer(Space::kStack, base.index, base.offset() + offset),
       .value = value});
}

Reason Interpreter::atomic(const Op& op) {
  const bool exchange = op.operation == Operation::kCmpxchg;
  const Value src = registers_[op.src];
  const Value& r0 = registers_[0];
  if (uninitialised(src) || (exchange && uninitialised(r0))) return Reason::kUninitialisedRegister;
  if (src.is_pointer() || (exchange && r0.is_pointer())) return Reason::kAtomicOnPointer;
  std::uint32_t cell = 0;
  const Reason r = memory_.find_cell(registers_[op.dst], op.offset, op.size, cell);
  if (r != Reason::kNone) return r;
  const std::uint64_t old = memory_.peek(cell, op.size);
  if (exchange) {
    const std::uint64_t expected = op.width == 64 ? r0.bits : low_half(r0.bits);
    const bool exchanges = old == expected;
    if (exchanges) memory_.poke(cell, op.size, src.bits);
    note_stack_store(exchanges ? StackStore::By::kAtomic : StackStore::By::kFailedAtomic,
                     registers_[op.dst], op.offset, op.size, exchanges ? src : Value::scalar(old));
    registers_[0] = Value::scalar(old);
    return Reason::kNone;
  }
  const std::uint64_t modified = modify(op.operation, old, src.bits);
  note_stack_store(StackStore::By::kAtomic, registers_[op.dst], op.offset, op.size,
                   Value::scalar(modified));
  memory_.poke(cell, op.size, modified);
  if (op.operation >= Operation::kAtomicAddFetch) registers_[op.src] = Value::scalar(old);
  return Reason::kNone;
}

void Interpreter::load_wide(const Op& op) {
  Value& dst = registers_[op.dst];
  ++pc_;  // over the second slot
  switch (op.operation) {
    case Operation::kLoadArray:
      dst = Value::pointer(Space::kArray, op.target, 0);
      break;
    case Operation::kLoadRegion:
      dst = Value::pointer(Space::kRegion, op.target, static_cast<std::int64_t>(op.value));
      break;
    case Operation::kLoadFunction: {
      const CodeFunction& function = code_.functions[op.target];
      dst = Value::pointer(
          Space::kFunction,
          static_cast<std::uint32_t>(function.program * kMaxFunctions + function.function), 0);
      break;
    }
    default:
      dst = Value::scalar(op.value);
      break;
  }
}

}  // namespace plumb::oracle
