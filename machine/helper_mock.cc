// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/helper_mock.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "machine/c_calls.h"
#include "machine/c_routine.h"

namespace plumb::machine {
namespace {

constexpr std::uint64_t kScrambledBelowStackPointer = 256;  // bytes

RegisterFile scrambled_registers() {
  RegisterFile values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = kScrambledRegister | i << 32 | i;
  return values;
}

struct Memory {
  const char* problem = nullptr;
  std::span<std::uint8_t> bytes;
};

Memory memory_argument(GuestMemory& memory, std::uint64_t address, std::uint64_t size) {
  if (size > kMaxHelperBytes)
    return {.problem = "a helper was given a size out of range", .bytes = {}};
  if (size == 0) return {};
  std::uint8_t* const bytes = memory.at(address, size);
  if (bytes == nullptr) return {.problem = "a helper was given a bad pointer", .bytes = {}};
  return {.problem = nullptr, .bytes = {bytes, static_cast<std::size_t>(size)}};
}

}  // namespace

void HelperMock::begin(const Image& image) {
  const TargetFacts& facts = target_.facts();
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    arguments_[i] = image.registers.helper_argument[i].or_else(facts.arguments[i]).number();
  }
  result_ = image.registers.helper_result.or_else(static_cast<std::uint8_t>(facts.result)).number();
  calls_ = 0;
}

MockOutcome HelperMock::call(Engine& engine, const HelperInfo& helper,
                             const RegisterFile& registers) {
  std::array<std::uint64_t, 5> args;
  for (std::size_t i = 0; i < args.size(); ++i) args[i] = registers[arguments_[i]];
  MockOutcome outcome;
  HelperCall call{
      .number = helper.number, .ordinal = calls_++, .scalars = {}, .read = {}, .write = {}};
  std::size_t reads = 0;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const HelperArg kind = helper.args[i];
    if (kind == HelperArg::kAny || kind == HelperArg::kSize) call.scalars[i] = args[i];
    if (kind != HelperArg::kReadMem && kind != HelperArg::kWriteMem) continue;
    const std::uint64_t size = i + 1 < args.size() ? args[i + 1] : 0;
    const Memory memory = memory_argument(memory_, args[i], size);
    if (memory.problem != nullptr) {
      return {.problem = memory.problem, .problem_address = args[i], .written = {}};
    }
    if (kind == HelperArg::kReadMem) {
      if (reads < std::size(call.read)) call.read[reads++] = memory.bytes;
    } else {
      call.write = memory.bytes;
      outcome.written = {args[i], size};
    }
  }
  const std::uint64_t result = run_helper(call);
  if (outcome.written.size != 0)
    memory_.note_stack_write(std::max(outcome.written.address, memory_.stack_range().address));
  finish(engine, result);
  return outcome;
}

std::array<std::uint64_t, 5> HelperMock::enter(Engine& engine, CFunction function) {
  if (function == CFunction::kLoop) ++calls_;  // bpf_throw is no helper
  std::array<std::uint64_t, 5> arguments{};
  for (std::size_t i = 0; i < arguments.size(); ++i) arguments[i] = engine.read(arguments_[i]);
  scramble(engine, 0, {});
  return arguments;
}

void HelperMock::leave(Engine& engine) { finish(engine, engine.read(target_.facts().result)); }

void HelperMock::finish(Engine& engine, std::uint64_t result) {
  RegisterFile values = scrambled_registers();
  values[result_] = result;
  scramble(engine, target_.facts().caller_saved, values);
}

void HelperMock::scramble(Engine& engine, std::uint32_t mask, const RegisterFile& values) {
  engine.scramble(mask, values);
  const std::uint64_t sp = engine.read(target_.facts().stack_pointer);
  const Range& stack = memory_.stack_range();
  if (sp <= stack.address || sp > stack.address + stack.size) return;
  const std::uint64_t size = std::min(kScrambledBelowStackPointer, sp - stack.address);
  std::memset(memory_.at(sp - size, size), kScrambledStack, size);
  memory_.note_stack_write(sp - size);
}

}  // namespace plumb::machine
