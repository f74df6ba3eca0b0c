// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/decode.h"

#include <cstddef>

#include "core/capability.h"
#include "core/check.h"
#include "core/helper_model.h"
#include "oracle/capabilities.h"

namespace plumb::oracle {
namespace {

std::uint64_t widen(std::int32_t immediate) {
  return static_cast<std::uint64_t>(std::int64_t{immediate});
}

bool in_range(std::int64_t index, std::size_t size) {
  return index >= 0 && static_cast<std::uint64_t>(index) < size;
}

bool writes_dst(Operation operation) {
  return is_alu(operation) || operation == Operation::kLoad ||
         operation == Operation::kLoadSigned ||
         (operation >= Operation::kLoadImm64 && operation <= Operation::kLoadFunction);
}

bool writes_src(Operation operation) {
  return operation >= Operation::kAtomicAddFetch && operation <= Operation::kXchg;
}

class FunctionDecoder {
 public:
  FunctionDecoder(const Case& value, const CodeFunction& target, Code& code)
      : value_(value),
        program_(value.programs[static_cast<std::size_t>(target.program)]),
        insns_(program_.functions[static_cast<std::size_t>(target.function)].insns),
        target_(target),
        code_(code) {}

  // The slot of the first defect is in slot().
  Reason run() {
    if (insns_.empty()) return Reason::kEmptyFunction;
    for (slot_ = 0; slot_ < insns_.size(); ++slot_) {
      if (const Reason reason = one(); reason != Reason::kNone) return reason;
    }
    return check_jumps();
  }
  [[nodiscard]] std::size_t slot() const { return slot_; }
  [[nodiscard]] std::uint64_t needs() const { return needs_; }

 private:
  Reason one() {
    const Insn& insn = insns_[slot_];
    const OpcodeInfo* info = decode(insn);
    if (info == nullptr) return Reason::kUnknownInstruction;
    const bool pseudo_source = info->selector == Selector::kSrc;
    if (insn.dst >= kRegisterCount || (!pseudo_source && insn.src >= kRegisterCount)) {
      return Reason::kRegisterOutOfRange;
    }
    if ((writes_dst(info->operation) && insn.dst == kFramePointerRegister) ||
        (writes_src(info->operation) && insn.src == kFramePointerRegister)) {
      return Reason::kFramePointerWritten;
    }
    needs_ |= plumb::needed_by(*info, insn);
    Op& op = code_.ops.emplace_back();
    op.operation = info->operation;
    op.width = info->width;
    op.dst = insn.dst;
    op.src = insn.src;
    op.immediate = info->operand == Operand::kImm;
    op.offset = insn.offset;
    op.value = widen(insn.immediate);
    op.size =
        static_cast<std::uint8_t>(is_alu(info->operation) ? info->selector_value : info->width / 8);
    return resolve(insn, op);
  }

  Reason resolve(const Insn& insn, Op& op) {
    switch (op.operation) {
      case Operation::kCallHelper:
        op.target = static_cast<std::uint32_t>(insn.immediate);
        return find_helper(insn.immediate) == nullptr ? Reason::kNoSuchHelper : Reason::kNone;
      case Operation::kCallFunction:
        return resolve_function(insn.immediate, op);
      case Operation::kThrow:
        return program_.exception_callback == kNoFunction ? Reason::kNoExceptionCallback
                                                          : Reason::kNone;
      case Operation::kLoadImm64:
      case Operation::kLoadArray:
      case Operation::kLoadRegion:
      case Operation::kLoadFunction:
        return resolve_wide(insn, op);
      default:
        if (is_jump(op.operation)) return resolve_jump(insn, op);
        return leaves_frame(op) ? Reason::kOutsideFrame : Reason::kNone;
    }
  }

  // No verifier lets these pass, whether they run or not. That matters where a wrong JIT runs what
  // the oracle never comes to.
  static bool leaves_frame(const Op& op) {
    const bool loads = op.operation == Operation::kLoad || op.operation == Operation::kLoadSigned;
    const bool stores = op.operation == Operation::kStore || is_atomic(op.operation);
    if (!loads && !stores) return false;
    if ((loads ? op.src : op.dst) != kFramePointerRegister) return false;
    return op.offset < -kMaxStackDepth || op.offset + op.size > 0;
  }

  Reason resolve_jump(const Insn& insn, Op& op) {
    const bool by_immediate = op.operation == Operation::kJa && op.width == 32;
    const std::int64_t to = static_cast<std::int64_t>(slot_) + 1 +
                            (by_immediate ? insn.immediate : std::int32_t{insn.offset});
    if (!in_range(to, insns_.size())) return Reason::kJumpOutside;
    op.target = target_.first + static_cast<std::uint32_t>(to);
    return Reason::kNone;
  }

  Reason resolve_function(std::int32_t index, Op& op) {
    if (!in_range(index, program_.functions.size())) return Reason::kNoSuchFunction;
    if (index == 0) return Reason::kMainFunctionReferenced;
    if (index == program_.exception_callback) return Reason::kExceptionCallbackReferenced;
    op.target = code_.main_function[static_cast<std::size_t>(target_.program)] +
                static_cast<std::uint32_t>(index);
    return Reason::kNone;
  }

  Reason resolve_wide(const Insn& insn, Op& op) {
    if (slot_ + 1 >= insns_.size() || insns_[slot_ + 1].opcode != 0) return Reason::kHalfWideLoad;
    const std::int32_t high = insns_[slot_ + 1].immediate;
    op.target = static_cast<std::uint32_t>(insn.immediate);
    op.value = static_cast<std::uint32_t>(insn.immediate) |
               std::uint64_t{static_cast<std::uint32_t>(high)} << 32;
    switch (op.operation) {
      case Operation::kLoadArray:
        if (!in_range(insn.immediate, value_.arrays.size())) return Reason::kNoSuchArray;
        break;
      case Operation::kLoadRegion:
        if (!in_range(insn.immediate, value_.regions.size())) return Reason::kNoSuchRegion;
        // As the kernel's array maps: an address just behind the value cannot be loaded.
        if (!in_range(high, value_.regions[op.target].bytes.size())) return Reason::kRegionOffset;
        op.value = widen(high);
        break;
      case Operation::kLoadFunction:
        if (const Reason r = resolve_function(insn.immediate, op); r != Reason::kNone) return r;
        break;
      default:
        break;
    }
    code_.ops.emplace_back();  // the second slot
    ++slot_;
    return Reason::kNone;
  }

  Reason check_jumps() {
    for (slot_ = 0; slot_ < insns_.size(); ++slot_) {
      const Op& op = code_.ops[target_.first + slot_];
      if (op.width != 0 && is_jump(op.operation) && code_.ops[op.target].width == 0) {
        return Reason::kJumpIntoWideLoad;
      }
    }
    // The last slot: what stands there must not go on to the next one.
    slot_ = insns_.size() - 1;
    const Op& last = code_.ops[target_.first + slot_];
    const bool ends = last.width != 0 &&
                      (last.operation == Operation::kExit || last.operation == Operation::kJa ||
                       last.operation == Operation::kThrow);
    return ends ? Reason::kNone : Reason::kFallsThrough;
  }

  const Case& value_;
  const Program& program_;
  const std::vector<Insn>& insns_;
  const CodeFunction target_;
  Code& code_;
  std::size_t slot_ = 0;
  std::uint64_t needs_ = 0;
};

// The indices that code does not hold itself: slots of arrays, the entry.
bool programs_exist(const Case& value) {
  if (!in_range(value.enter, value.programs.size())) return false;
  for (const Program& program : value.programs) {
    if (program.functions.empty()) return false;
    PLUMB_CHECK(program.functions.size() <=
                kMaxFunctions);  // a function's Value::index relies on it
    const int callback = program.exception_callback;
    if (callback != kNoFunction && (callback == 0 || !in_range(callback, program.functions.size())))
      return false;
  }
  for (const ProgArray& array : value.arrays) {
    for (const int slot : array.slots) {
      if (slot != kNoProgram && !in_range(slot, value.programs.size())) return false;
    }
  }
  return true;
}

void lay_out(const Case& value, Code& code) {
  std::uint32_t first = 0;
  std::size_t count = 0;
  for (const Program& program : value.programs) count += program.functions.size();
  code.functions.reserve(count);
  code.main_function.reserve(value.programs.size());
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    code.main_function.push_back(static_cast<std::uint32_t>(code.functions.size()));
    const int callback = value.programs[p].exception_callback;
    code.exception_callback.push_back(
        callback == kNoFunction ? Code::kNoCallback
                                : code.main_function.back() + static_cast<std::uint32_t>(callback));
    const std::vector<Function>& functions = value.programs[p].functions;
    for (std::size_t f = 0; f < functions.size(); ++f) {
      const auto size = static_cast<std::uint32_t>(functions[f].insns.size());
      code.functions.push_back({.first = first,
                                .size = size,
                                .stack_depth = functions[f].stack_depth,
                                .program = static_cast<std::int16_t>(p),
                                .function = static_cast<std::int16_t>(f)});
      first += size;
    }
  }
  code.ops.reserve(first);
}

}  // namespace

CodeDefect decode_case(const Case& value, Code& code) {
  if (!programs_exist(value)) return {Reason::kNoSuchProgram, {}};
  lay_out(value, code);
  code.needs = needed_by_arrays(value);
  std::uint64_t needs = 0;  // of the instructions of one program
  for (const CodeFunction& function : code.functions) {
    FunctionDecoder decoder(value, function, code);
    if (const Reason reason = decoder.run(); reason != Reason::kNone) {
      return {reason,
              {function.program, function.function, static_cast<std::int32_t>(decoder.slot())}};
    }
    if (function.function == 0) needs = 0;
    needs |= decoder.needs();
    code.needs |= needed_by(value.programs[static_cast<std::size_t>(function.program)], needs);
  }
  return {};
}

}  // namespace plumb::oracle
