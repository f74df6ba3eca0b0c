// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/arch.h"
#include "core/contract.h"
#include "core/placement.h"
#include "core/unwind/step.h"

namespace plumb {

// Code addresses of the arm64 kernel have the top 16 bits set. There the machine maps the arena a
// second time, at kCodeAlias | address, and native code calls, returns and runs in either place.
inline constexpr std::uint64_t kCodeAlias = 0xffff'0000'0000'0000;
[[nodiscard]] constexpr bool has_code_alias(Arch arch) { return arch == Arch::kArm64; }
// The address of code without the alias: what Image and MachineRun hold, but for register values.
[[nodiscard]] constexpr std::uint64_t code_address(Arch arch, std::uint64_t address) {
  return has_code_alias(arch) && (address & kCodeAlias) == kCodeAlias ? address & ~kCodeAlias
                                                                      : address;
}

struct NativeFunction {
  int program = 0;
  int function = 0;
  std::uint64_t address = 0;                     // where a call enters
  std::uint32_t size = 0;                        // bytes of code
  std::optional<std::uint32_t> tail_call_entry;  // offset where a tail call lands; nothing: never
  bool tail_call_entry_unknown = false;          // tail calls land in it, nobody says where
  // Bytes of BPF stack in the frame, rounded; nothing: unknown.
  std::optional<std::uint32_t> stack_size = 0;
  bool tail_call_reachable = false;
  // Native register that holds R10 in this function, where it differs from Image::registers.
  NativeRegister r10_register{};
  // Offset at which the code of each BPF slot begins, and one more: where the body ends. Before
  // insn_offsets[0] is the prologue; the epilogue stands at the exit instructions or behind the
  // end. Empty: unknown.
  std::vector<std::uint32_t> insn_offsets;
  // Offsets: where the JIT says that the frame pointer heads a whole chain of frame records, the
  // end not included. Both 0: it says nothing.
  std::uint32_t fp_begin = 0;
  std::uint32_t fp_end = 0;
  [[nodiscard]] bool claims_frame_pointer() const { return fp_begin != 0 || fp_end != 0; }

  bool operator==(const NativeFunction&) const = default;
};

struct Symbol {
  std::string name;
  std::uint64_t address = 0;
  bool is_thunk = false;   // native code goes through it to where it jumps, calls or returns to
  std::uint64_t size = 0;  // bytes; 0: not known

  bool operator==(const Symbol&) const = default;
};

// What bpf_throw hands to the exception callback as the boundary's stack pointer.
enum class ThrowSp : std::uint8_t {
  kUnknown,
  kAtCall,  // as it was just before the boundary's call that the throw came out of
  kZero,    // 0: unwinders of the platform have none
};

// How throws of one program find their way.
struct ThrowPath {
  int program = 0;
  int boundary = 0;           // function whose frame the callback takes over
  int callback = 0;           // function
  std::uint64_t address = 0;  // where the callback is called
  ThrowSp sp = ThrowSp::kUnknown;

  bool operator==(const ThrowPath&) const = default;
};

// Native code of one case.
struct Image {
  Arch arch = Arch::kX86_64;
  std::string jit;     // "linux-6.12-x86_64"
  std::string family;  // "linux"
  Contract contract;
  RegisterMap registers;
  FrameRule frame;
  LandingRule landing;
  CodeRule code_rule;
  Placement placement;      // of everything that the code refers to
  Range arena;              // code, prog arrays, program objects: all that load() made
  std::uint64_t entry = 0;  // where the invocation enters the case's entry program
  std::vector<NativeFunction> functions;
  // Where each program is entered, by its number: its main function, or code of its own that leads
  // there (a thunk among the symbols). Empty: all at their main functions.
  std::vector<std::uint64_t> program_entries;
  std::vector<Range> code;    // where load() wrote code
  std::vector<Range> arrays;  // guest object of each prog array
  std::vector<Symbol> symbols;
  // What the JIT hands over to unwinders, by ascending begin: rows of kind kFrame, and unknown ones
  // where a function ends, the last one among them. Empty: it says nothing.
  std::vector<unwind::Row> unwind_rows;
  std::vector<ThrowPath> throws;  // of each program with an exception callback

  bool operator==(const Image&) const = default;
  // The function whose code holds the address, or null.
  [[nodiscard]] const NativeFunction* function_at(std::uint64_t address) const;
  [[nodiscard]] const NativeFunction* find_function(int program, int function) const;
  // Native register that holds R10 while the function runs (null: as in all others).
  [[nodiscard]] NativeRegister r10_register(const NativeFunction* function) const;
};

// Slot of the BPF instruction whose code holds the offset: -1 in the prologue, insns.size() behind
// the body. Only for offsets inside the function.
[[nodiscard]] int slot_at(const NativeFunction& function, std::uint32_t offset);

}  // namespace plumb
