// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/helper_mock.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "machine/loop_routine.h"

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

MockOutcome HelperMock::call(Engine& engine, const HelperInfo& helper,
                             const RegisterFile& registers) {
  std::array<std::uint64_t, 5> args;
  for (std::size_t i = 0; i < args.size(); ++i)
    args[i] = registers[image_->registers.bpf[i + 1].number()];
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
  RegisterFile values = scrambled_registers();
  values[static_cast<std::size_t>(target_.facts().result)] = run_helper(call);
  if (outcome.written.size != 0)
    memory_.note_stack_write(std::max(outcome.written.address, memory_.stack_range().address));
  scramble(engine, target_.facts().caller_saved, values);
  return outcome;
}

void HelperMock::begin_loop(Engine& engine) {
  ++calls_;
  scramble(engine, 0, {});  // the routine itself scrambles registers
}

void HelperMock::end_loop(Engine& engine) {
  scramble(engine, target_.facts().caller_saved & ~(1u << target_.facts().result),
           scrambled_registers());
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
