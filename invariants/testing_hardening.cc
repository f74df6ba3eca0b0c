// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/testing_hardening.h"

#include <algorithm>
#include <span>

#include "core/check.h"

namespace plumb::invariants {
namespace {

constexpr int kHashBelow = 8;
constexpr std::uint32_t kProgramHash = 0x83059dfc;
constexpr std::uint32_t kCallbackHash = 0xc94ca62c;

void put(std::vector<std::uint8_t>& bytes, std::size_t at, std::span<const std::uint8_t> what) {
  PLUMB_CHECK(at + what.size() <= bytes.size());
  std::ranges::copy(what, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

void append(std::vector<std::uint8_t>& bytes, std::uint32_t word) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<std::uint8_t>(word >> shift));
  }
}

bool is_callback(const NativeFunction& native) {
  return native.program == 0 && native.function == 2;  // entry.each
}

std::size_t exit_slot(const Function& function) { return function.insns.size() - 1; }

const Function& function_of(const BuiltRun& built, const NativeFunction& native) {
  return built.value.programs[static_cast<std::size_t>(native.program)]
      .functions[static_cast<std::size_t>(native.function)];
}

void note_return(BuiltRun& built, std::size_t event, std::int32_t activation) {
  const Activation& ended = built.run.activations[static_cast<std::size_t>(activation)];
  const NativeFunction* const native = built.image.find_function(ended.program, ended.function);
  const std::uint32_t offset = native->insn_offsets[exit_slot(function_of(built, *native))];
  built.run.returns.push_back({.end = native->address + offset + 8,
                               .event = static_cast<std::int32_t>(event),
                               .activation = static_cast<std::uint32_t>(activation)});
}

}  // namespace

void harden(BuiltRun& built) {
  const bool is_signed = built.image.arch == Arch::kArm64;
  built.image.code_rule = {.constants_blinded = Tristate::kYes,
                           .return_addresses_signed = is_signed ? Tristate::kYes : Tristate::kNo,
                           .cfi = {.hashes = Tristate::kYes,
                                   .hash_below = kHashBelow,
                                   .hash_of_program = kProgramHash,
                                   .hash_of_callback = kCallbackHash}};
  std::int32_t constant = 0x12345678;
  for (Program& program : built.value.programs) {
    for (Function& function : program.functions) {
      function.insns[0].immediate = constant;  // a store
      constant += 0x01010101;
    }
  }
  for (const NativeFunction& native : built.image.functions) {
    built.run.code.push_back({.begin = native.address - kHashBelow,
                              .bytes = std::vector<std::uint8_t>(kHashBelow + native.size)});
    const std::size_t index = built.run.code.size() - 1;
    put_code(built, index, -kHashBelow, {is_callback(native) ? kCallbackHash : kProgramHash});
    if (!is_signed) continue;
    const std::uint32_t exit = native.insn_offsets[exit_slot(function_of(built, native))];
    put_code(built, index, 0, {kTestPaciasp});
    put_code(built, index, exit, {kTestAutiasp, kTestRet});
  }
  if (!is_signed) return;
  for (std::size_t i = 0; i < built.run.events.size(); ++i) {
    const MachineEvent& event = built.run.events[i];
    if (event.kind == EventKind::kReturn) note_return(built, i, event.entered);
    if (event.kind == EventKind::kExit) {
      note_return(built, i, static_cast<std::int32_t>(event.activation));
    }
  }
}

void put_code(BuiltRun& built, std::size_t function, std::int64_t offset,
              std::initializer_list<std::uint32_t> words) {
  std::vector<std::uint8_t> bytes;
  for (const std::uint32_t word : words) append(bytes, word);
  put(built.run.code[function].bytes, static_cast<std::size_t>(kHashBelow + offset), bytes);
}

void load_constant(BuiltRun& built, std::size_t function, std::size_t slot) {
  const NativeFunction& native = built.image.functions[function];
  const Insn& insn = function_of(built, native).insns[slot];
  put(built.run.code[function].bytes, kHashBelow + native.insn_offsets[slot],
      load_code(built.image.arch, static_cast<std::uint32_t>(insn.immediate)));
}

std::vector<std::uint8_t> load_code(Arch arch, std::uint32_t constant) {
  std::vector<std::uint8_t> bytes;
  switch (arch) {
    case Arch::kX86_64:
      bytes.push_back(0xb8);
      append(bytes, constant);
      break;
    case Arch::kArm64:
      append(bytes, 0x52800009 | (constant & 0xffff) << 5);
      append(bytes, 0x72a00009 | (constant >> 16) << 5);
      break;
    case Arch::kRiscv64: {
      const std::uint32_t upper = (constant + 0x800) & 0xfffff000;
      append(bytes, 0x00000337 | upper);
      append(bytes, 0x0003031b | (constant & 0xfff) << 20);
      break;
    }
  }
  return bytes;
}

}  // namespace plumb::invariants
