// SPDX-License-Identifier: GPL-2.0-or-later
//
// Calls, returns, tail calls and helpers: what makes, replaces and ends activations.
#include <algorithm>
#include <cstddef>
#include <span>

#include "core/check.h"
#include "oracle/call_graph.h"
#include "oracle/interpreter.h"

namespace plumb::oracle {
namespace {

constexpr std::size_t kFirstSaved = 6;  // R6 ... R9 belong to the caller
constexpr Value kUninitialisedValue{};

Value context_pointer() { return Value::pointer(Space::kContext, 0, 0); }

bool is_context(const Value& value) { return value == context_pointer(); }

}  // namespace

Event& Interpreter::record(EventKind kind, std::uint32_t op, std::int32_t target) {
  const Frame& frame = frames_.back();
  Event& event = execution_.trace.emplace_back();
  event.kind = kind;
  event.at = code_.place(frame.function, op);
  event.activation = frame.activation;
  event.target = target;
  return event;
}

// ---- activations ----

// Starts the activation on top of frames_: a new ordinal, a new stack, nothing in R0 and R6 ... R9.
void Interpreter::enter(std::uint32_t function) {
  if (frames_.empty()) {
    frames_.emplace_back();
    registers_[1] = context_pointer();
  }
  Frame& frame = frames_.back();
  const CodeFunction& code = code_.functions[function];
  frame.activation = execution_.activations++;
  frame.function = function;
  // An exception callback runs in the place of a main function.
  if (code.function == 0 || code_.is_exception_callback(function)) {
    frame.chain_frames = 1;
    frame.chain_bytes = chain_bytes(code.stack_depth, contract_);
  }
  execution_.activation_function.push_back(
      static_cast<std::uint32_t>(code.program * kMaxFunctions + code.function));
  memory_.enter_frame(frame.activation, code.stack_depth);
  registers_[0] = kUninitialisedValue;
  std::fill_n(registers_.begin() + kFirstSaved, 4, kUninitialisedValue);
  registers_[kFramePointerRegister] = Value::pointer(Space::kStack, frame.activation, 0);
  pc_ = code.first;
}

// The static rules of call_graph.h hold for calls by name; a function's address can travel, so
// chains that end in a callback are checked here too.
Reason Interpreter::push_frame(Origin origin, std::uint32_t function, std::uint32_t call_op) {
  Frame frame;
  frame.origin = origin;
  frame.call_op = call_op;
  frame.chain_frames = frames_.back().chain_frames + 1;
  frame.chain_bytes =
      frames_.back().chain_bytes + chain_bytes(code_.functions[function].stack_depth, contract_);
  if (frame.chain_frames > kMaxCallDepth) {
    refused_amount_ = frame.chain_frames;
    return Reason::kCallChainTooLong;
  }
  if (frame.chain_bytes > kMaxStackDepth) {
    refused_amount_ = frame.chain_bytes;
    return Reason::kCallChainTooDeep;
  }
  std::copy_n(registers_.begin() + kFirstSaved, frame.saved.size(), frame.saved.begin());
  frames_.push_back(frame);
  enter(function);
  return Reason::kNone;
}

void Interpreter::pop_frame() {
  std::ranges::copy(frames_.back().saved, registers_.begin() + kFirstSaved);
  frames_.pop_back();
  memory_.leave_frame();
  registers_[kFramePointerRegister] = Value::pointer(Space::kStack, frames_.back().activation, 0);
}

Reason Interpreter::call_function(const Op& op) {
  Event& event = record(EventKind::kCall, at_, code_.functions[op.target].function);
  std::copy_n(registers_.begin() + 1, event.args.size(), event.args.begin());
  return push_frame(Origin::kCall, op.target, at_);
}

// After any call R1 ... R5 are gone.
void Interpreter::end_call(const Value& result) {
  std::fill_n(registers_.begin() + 1, 5, kUninitialisedValue);
  registers_[0] = result;
}

// ---- returns ----

Reason Interpreter::exit() {
  const Frame frame = frames_.back();
  const Value result = registers_[0];
  if (const Reason r = check_result(frame, result); r != Reason::kNone) return r;
  switch (frame.origin) {
    case Origin::kKernel:
      finish(result);
      return Reason::kNone;
    case Origin::kCallback:
      return end_callback(frame, result);
    case Origin::kCall:
      break;
  }
  pop_frame();
  record(EventKind::kReturn, frame.call_op, 0).result = result;
  end_call(result);
  pc_ = frame.call_op + 1;
  return Reason::kNone;
}

// A main function, and the exception callback in its place, promise their callers a number, whoever
// they are: the kernel, or the caller of a subprogram that a tail call replaced by it. A subprogram
// may leave R0 alone.
Reason Interpreter::check_result(const Frame& frame, const Value& result) const {
  const bool in_place_of_main = code_.is_exception_callback(frame.function);
  if (code_.functions[frame.function].function == 0 || in_place_of_main) {
    if (result.is_scalar()) return Reason::kNone;
    return result.is_pointer() ? Reason::kMainReturnsPointer : Reason::kUninitialisedRegister;
  }
  if (frame.origin == Origin::kCallback) {
    if (result.kind == Value::Kind::kUninitialised) return Reason::kUninitialisedRegister;
    return result.is_scalar() && result.bits <= 1 ? Reason::kNone : Reason::kCallbackResult;
  }
  const bool own =
      result.is_pointer() && result.space == Space::kStack && result.index == frame.activation;
  return own ? Reason::kReturnsOwnFrame : Reason::kNone;
}

void Interpreter::finish(const Value& result) {
  Value seen = result;
  if (contract_.result_bits == 32) seen.bits = static_cast<std::uint32_t>(seen.bits);
  record(EventKind::kExit, at_, 0).result = seen;
  execution_.result = seen;
  finished_ = true;
}

// ---- helpers ----

Reason Interpreter::call_helper(const Op& op) {
  const HelperInfo& info = *find_helper(static_cast<std::int32_t>(op.target));
  HelperCall call;
  call.number = info.number;
  call.ordinal = helper_calls_;
  std::size_t arity = 0;
  for (; arity < info.args.size() && info.args[arity] != HelperArg::kNone; ++arity) {
    const Reason r = check_argument(info.args[arity], arity, call);
    if (r != Reason::kNone) return r;
  }
  if (info.number == kTailCallHelper) {
    tail_call();
    return Reason::kNone;
  }
  ++helper_calls_;
  Event& event = record(EventKind::kHelperCall, at_, info.number);
  std::copy_n(registers_.begin() + 1, arity, event.args.begin());
  for (std::size_t i = 0; i < arity; ++i) {
    if (info.args[i] != HelperArg::kWriteMem) continue;
    note_stack_store(StackStore::By::kHelper, registers_[i + 1], 0,
                     static_cast<std::uint32_t>(registers_[i + 2].bits), {});
  }
  if (info.number == kLoopHelper) return start_loop();
  end_call(Value::scalar(run_helper(call)));
  return Reason::kNone;
}

Reason Interpreter::check_argument(HelperArg kind, std::size_t index, HelperCall& call) {
  const Value& value = registers_[index + 1];
  if (value.kind == Value::Kind::kUninitialised) return Reason::kUninitialisedRegister;
  switch (kind) {
    case HelperArg::kNone:
    case HelperArg::kAnything:
      return Reason::kNone;
    case HelperArg::kAny:
      if (!value.is_scalar()) return Reason::kArgumentNotScalar;
      call.scalars[index] = value.bits;
      return Reason::kNone;
    case HelperArg::kContext:
      return is_context(value) ? Reason::kNone : Reason::kArgumentNotContext;
    case HelperArg::kArray: {
      const bool array = value.is_pointer() && value.space == Space::kArray;
      return array ? Reason::kNone : Reason::kArgumentNotArray;
    }
    case HelperArg::kFunction: {
      const auto program =
          static_cast<std::uint32_t>(code_.functions[frames_.back().function].program);
      const bool ours = value.is_pointer() && value.space == Space::kFunction &&
                        value.index / kMaxFunctions == program;
      return ours ? Reason::kNone : Reason::kArgumentNotFunction;
    }
    case HelperArg::kSize:
      if (!value.is_scalar()) return Reason::kArgumentNotScalar;
      call.scalars[index] = value.bits;
      return value.bits >= 1 && value.bits <= kMaxHelperBytes ? Reason::kNone
                                                              : Reason::kArgumentSize;
    case HelperArg::kReadMem:
    case HelperArg::kWriteMem:
      return memory_argument(kind, index, call);
  }
  return Reason::kNone;
}

// A pointer whose size stands in the next argument.
Reason Interpreter::memory_argument(HelperArg kind, std::size_t index, HelperCall& call) {
  if (const Reason r = check_argument(HelperArg::kSize, index + 1, call); r != Reason::kNone) {
    return r;
  }
  const Value& base = registers_[index + 1];
  const auto bytes = static_cast<std::uint32_t>(registers_[index + 2].bits);
  if (kind == HelperArg::kWriteMem) return memory_.write(base, bytes, call.write);
  PLUMB_CHECK(call.read[1].empty());
  return memory_.read(base, bytes, call.read[call.read[0].empty() ? 0 : 1]);
}

// ---- tail calls ----

// Index, then limit, then slot: the order of the kernel's interpreter and JITs. Whether an empty
// slot has been counted by then is the JIT's own business.
void Interpreter::tail_call() {
  const ProgArray& array = case_.arrays[registers_[2].index];
  const auto index = static_cast<std::uint32_t>(registers_[3].bits);
  if (index >= array.slots.size()) return refuse_tail_call(RefusalReason::kIndexOutOfRange);
  if (counted_tail_calls_ >= kTailCallLimit) return refuse_tail_call(RefusalReason::kLimitReached);
  const std::int32_t program = array.slots[index];
  const bool empty = program == kNoProgram;
  if (!empty || empty_slot_consumes_count()) ++counted_tail_calls_;
  if (empty) return refuse_tail_call(RefusalReason::kEmptySlot);
  take_tail_call(program);
}

bool Interpreter::empty_slot_consumes_count() const {
  const bool consumes = contract_.empty_slot_consumes_count == Tristate::kYes;
  if (!contract_.calls_keep_count) return consumes;
  const CodeFunction& function = code_.functions[frames_.back().function];
  const auto ops = std::span(code_.ops).subspan(function.first, function.size);
  const bool calls = std::ranges::any_of(ops, [](const Op& op) {
    return op.operation == Operation::kCallFunction ||
           (op.operation == Operation::kCallHelper && op.target != kTailCallHelper);
  });
  return consumes && !calls;
}

void Interpreter::refuse_tail_call(RefusalReason reason) {
  record(EventKind::kTailCallRefused, at_, 0).reason = reason;
  end_call(kUninitialisedValue);  // bpf_tail_call returns nothing
}

void Interpreter::take_tail_call(std::int32_t program) {
  record(EventKind::kTailCallTaken, at_, program);
  ++execution_.tail_calls;
  memory_.leave_frame();
  end_call(kUninitialisedValue);
  registers_[1] = context_pointer();
  enter(code_.main_function[static_cast<std::size_t>(program)]);
}

// ---- bpf_throw ----

// Out of all frames up to the next main function, the boundary, whose callers stay as they are.
Reason Interpreter::throw_exception() {
  const Value cookie = registers_[1];
  if (cookie.kind == Value::Kind::kUninitialised) return Reason::kUninitialisedRegister;
  if (!cookie.is_scalar()) return Reason::kArgumentNotScalar;
  std::size_t boundary = frames_.size() - 1;
  for (; code_.functions[frames_[boundary].function].function != 0; --boundary) {
    if (frames_[boundary].origin == Origin::kCallback) return Reason::kThrowInCallback;
  }
  const CodeFunction& main = code_.functions[frames_[boundary].function];
  const std::uint32_t callback = code_.exception_callback[static_cast<std::size_t>(main.program)];
  record(EventKind::kThrow, at_, code_.functions[callback].function).args[0] = cookie;
  execution_.throws.push_back({.ended = static_cast<int>(frames_.size() - boundary),
                               .callback_stack = code_.functions[callback].stack_depth});
  for (std::size_t ended = frames_.size(); ended > boundary; --ended) memory_.leave_frame();
  frames_.resize(boundary + 1);
  end_call(kUninitialisedValue);
  registers_[1] = cookie;
  enter(callback);
  return Reason::kNone;
}

// ---- bpf_loop ----

// bpf_loop() of kernel/bpf/bpf_iter.c: there are no flags yet, and that is looked at first.
Reason Interpreter::start_loop() {
  const auto count = static_cast<std::uint32_t>(registers_[1].bits);  // the helper takes a u32
  const bool flags = registers_[4].bits != 0;
  if (flags || count == 0 || count > kMaxLoopIterations) {
    end_call(Value::scalar(flags ? kLoopBadFlags : count == 0 ? 0 : kLoopTooBig));
    return Reason::kNone;
  }
  Frame loop;
  const std::uint32_t main =
      code_.main_function[static_cast<std::size_t>(registers_[2].index / kMaxFunctions)];
  loop.loop_function = main + registers_[2].index % kMaxFunctions;
  loop.call_op = at_;
  loop.loop_count = count;
  loop.loop_context = registers_[3];
  return call_back(loop);
}

// Calls the loop's function for its next index.
Reason Interpreter::call_back(Frame loop) {
  end_call(kUninitialisedValue);
  registers_[1] = Value::scalar(loop.loop_index);
  registers_[2] = loop.loop_context;
  Event& event =
      record(EventKind::kCallback, loop.call_op, code_.functions[loop.loop_function].function);
  event.args[0] = registers_[1];
  event.args[1] = registers_[2];
  const Reason r = push_frame(Origin::kCallback, loop.loop_function, loop.call_op);
  if (r != Reason::kNone) return r;
  frames_.back().loop_function = loop.loop_function;
  frames_.back().loop_index = loop.loop_index;
  frames_.back().loop_count = loop.loop_count;
  frames_.back().loop_context = loop.loop_context;
  return Reason::kNone;
}

// What a callback itself returns is 0 or 1. A program that a tail call put in its place returns
// anything, and bpf_loop() takes all but 0 as the word to stop.
Reason Interpreter::end_callback(const Frame& frame, const Value& result) {
  pop_frame();
  record(EventKind::kReturn, frame.call_op, 0).result = result;
  const std::uint32_t done = frame.loop_index + 1;
  if (result.bits == 0 && done < frame.loop_count) {
    Frame next = frame;
    next.loop_index = done;
    return call_back(next);
  }
  end_call(Value::scalar(done));
  pc_ = frame.call_op + 1;
  return Reason::kNone;
}

}  // namespace plumb::oracle
