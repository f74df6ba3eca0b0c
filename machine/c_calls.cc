// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/c_calls.h"

#include <variant>

#include "core/check.h"
#include "core/helper_model.h"
#include "machine/helper_mock.h"

namespace plumb::machine {

void CCalls::begin(const Image& image) {
  image_ = &image;
  calls_.clear();
  throw_ = {};
}

void CCalls::enter(CFunction function, std::span<const std::uint64_t> arguments) {
  Call& call = calls_.emplace_back();
  call.function = function;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) call.arguments[i] = arguments[i];
}

CCalls::Outcome CCalls::arrive(Engine& engine, std::uint64_t address) {
  const std::uint64_t offset = address - image_->placement.routines;
  const bool is_ours =
      offset == routine().step || offset == routine().call || offset == routine().end;
  if (!is_ours) return {};
  if (calls_.empty()) return {.problem = "the body of a helper runs that nobody called"};
  if (offset == routine().step) return step(engine);
  if (offset == routine().call) {
    if (calls_.back().function == CFunction::kThrow) calls_.pop_back();
    scramble_for_call(engine);
    return {};
  }
  calls_.pop_back();
  RegisterFile values{};
  const auto result = static_cast<std::size_t>(target_.facts().result);
  values[result] = result_;
  engine.scramble(1u << result, values);
  return {.ends = true};
}

// At the first step the frame has just been made; later ones come behind a call, whose result is in
// its register. What a callee that kept no rules left in the frame pointer is not looked at.
CCalls::Outcome CCalls::step(Engine& engine) {
  Call& call = calls_.back();
  if (!call.has_begun) call.frame_pointer = engine.read(target_.facts().frame_pointer);
  if (!memory_.is_stack_word(call.frame_pointer -
                             static_cast<std::uint64_t>(routine().state_below))) {
    return {.problem = "there is no stack for the frame of a helper"};
  }
  const Next next = call.function == CFunction::kThrow ? throw_exception(call) : loop(engine, call);
  if (next.problem != nullptr) {
    return {.problem = next.problem, .is_lost_throw = call.function == CFunction::kThrow};
  }
  call.has_begun = true;
  next_arguments_ = next.arguments;
  result_ = next.result;
  if (routine().target_register < 0) {
    set_state(call, kTarget, next.target);
  } else {
    RegisterFile values{};
    values[static_cast<std::size_t>(routine().target_register)] = next.target;
    engine.scramble(1u << routine().target_register, values);
  }
  return {};
}

CCalls::Next CCalls::loop(Engine& engine, Call& call) {
  if (!call.has_begun) {
    const auto count = static_cast<std::uint32_t>(call.arguments[0]);
    if (call.arguments[3] != 0) return {.result = kLoopBadFlags};
    if (count > kMaxLoopIterations) return {.result = kLoopTooBig};
    set_state(call, kIndex, 0);
    set_state(call, kCount, count);
    set_state(call, kCallback, call.arguments[1]);
    set_state(call, kContext, call.arguments[2]);
  } else {
    set_state(call, kIndex, state(call, kIndex) + 1);
    const bool stops = engine.read(target_.facts().result) != 0;
    if (stops) return {.result = state(call, kIndex)};
  }
  const std::uint64_t index = state(call, kIndex);
  if (index >= state(call, kCount)) return {.result = index};
  return {.target = state(call, kCallback), .arguments = {index, state(call, kContext), 0, 0, 0}};
}

// bpf_stack_walker(): frames of C before the first BPF frame are passed, subprograms too; any other
// frame behind a BPF frame ends the walk, and what the kernel does then is to crash.
CCalls::Next CCalls::throw_exception(const Call& call) {
  class Stack final : public unwind::StackReader {
   public:
    explicit Stack(const GuestMemory& memory) : memory_(memory) {}
    [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(
        std::uint64_t address) const override {
      if (!memory_.is_stack_word(address)) return std::nullopt;
      return memory_.stack_word(address);
    }

   private:
    const GuestMemory& memory_;
  };
  constexpr int kMostFrames = 64;
  const Stack stack(memory_);
  throw_ = {};
  unwind::Cursor cursor{.pc = image_->placement.routines + routine().step,
                        .sp = call.frame_pointer,
                        .fp = call.frame_pointer,
                        .lr = 0};
  for (int i = 0; i < kMostFrames; ++i) {
    const unwind::Step step = unwind::step(cursor, stack, rows_);
    const auto* const frame = std::get_if<unwind::Frame>(&step);
    if (frame == nullptr) return {.problem = "the walk of bpf_throw comes to no main function"};
    cursor = frame->cursor;
    // A call can be the last instruction of its function.
    const NativeFunction* const function =
        image_->function_at(code_address(image_->arch, cursor.pc) - 1);
    if (function == nullptr) {
      if (throw_.frames == 0) continue;
      return {.problem =
                  "the walk of bpf_throw leaves BPF code before it comes to a main function"};
    }
    ++throw_.frames;
    if (function->function != 0) continue;
    throw_.program = function->program;
    break;
  }
  for (const ThrowPath& path : image_->throws) {
    if (path.program != throw_.program) continue;
    const bool has_sp = path.sp != ThrowSp::kZero;
    throw_.sp = has_sp ? cursor.sp : 0;
    throw_.fp = cursor.fp;
    return {.target = path.address, .arguments = {call.arguments[0], throw_.sp, throw_.fp, 0, 0}};
  }
  return {.problem = "the walk of bpf_throw comes to a program without an exception callback"};
}

void CCalls::scramble_for_call(Engine& engine) {
  const TargetFacts& facts = target_.facts();
  RegisterFile values{};
  std::uint32_t mask = (facts.register_count == 32 ? 0 : 1u << facts.register_count) - 1u;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = kScrambledRegister + i;
  for (std::size_t i = 0; i < facts.arguments.size(); ++i) {
    values[facts.arguments[i]] = next_arguments_[i];
  }
  const auto keep = [&mask](int reg) {
    if (reg >= 0) mask &= ~(1u << reg);
  };
  keep(facts.stack_pointer);
  keep(facts.zero);
  keep(facts.link);
  keep(routine().target_register);
  for (const int reg : facts.reserved) keep(reg);
  keep(facts.frame_pointer);
  engine.scramble(mask, values);
}

std::uint64_t CCalls::state(const Call& call, State word) const {
  return memory_.stack_word(call.frame_pointer - static_cast<std::uint64_t>(routine().state_below) +
                            8 * static_cast<std::uint64_t>(word));
}

void CCalls::set_state(const Call& call, State word, std::uint64_t value) {
  const std::uint64_t at = call.frame_pointer - static_cast<std::uint64_t>(routine().state_below) +
                           8 * static_cast<std::uint64_t>(word);
  memory_.note_stack_write(at);
  memory_.set_stack_word(at, value);
}

}  // namespace plumb::machine
