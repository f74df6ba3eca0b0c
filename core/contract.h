// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/native_register.h"

namespace plumb {

// Whether something holds of a JIT, where the JIT need not say.
enum class Tristate : std::uint8_t { kUnknown, kNo, kYes };  // as enum plumb_answer

// Who does something at a BPF-to-BPF call: the function that is called, in its prologue and
// epilogue, or the one that calls, around the call instruction.
enum class Side : std::uint8_t { kUnknown, kCallee, kCaller };  // as enum plumb_side

// Where the stack pointer stands at the calls of one activation.
enum class SpAtCalls : std::uint8_t {  // as enum plumb_sp_at_calls
  kUnknown,
  kConstant,  // at the same place at all of them
  kByKind,    // at the same place at all calls of one kind (of BPF functions, of helpers)
  kVaries,
};

// Where the memory below R10 lies.
enum class BpfStack : std::uint8_t {  // as enum plumb_bpf_stack
  kUnknown,
  kInFrame,    // in the function's native frame
  kElsewhere,  // not on the native stack
};

// What a division or remainder by zero does.
enum class DivisionByZero : std::uint8_t {  // as enum plumb_division
  kUnknown,
  kRfc,          // RFC 9669 section 4.1: the quotient is 0, the remainder the dividend
  kEndsProgram,  // the program ends, with 0 in R0
};

// The points in which real JITs differ legitimately. The oracle runs under the contract of the JIT
// that it judges. Nothing here can loosen what the platform's ABI or the kernel promises. Where a
// JIT does not say, that is a value of its own: what depends on it is not applicable. The defaults
// are Linux's.
struct Contract {
  // Does an attempt to tail-call an empty slot count towards the limit of 33? x86-64 before 6.12,
  // arm64 before 6.12, riscv64 and the interpreter: yes.
  Tristate empty_slot_consumes_count = Tristate::kNo;
  // With kYes: a function that also calls keeps the count in a register of its own, and there
  // an attempt at an empty slot consumes nothing. riscv64 (rv_tail_call_reg() of its JIT).
  bool calls_keep_count = false;
  // Does every frame keep, in a word of its own, how many tail calls are left? Its prologue stores
  // what it was handed, a tail call one less, and the code of a BPF-to-BPF call, when the callee is
  // back, what that hands back. riscv64 since 7.3: yes.
  Tristate count_in_frames = Tristate::kNo;
  // Alignment in bytes of the stack pointer just before a call instruction; 0: unknown. The
  // kernel's x86-64 code is compiled with an 8-byte stack boundary.
  int call_alignment = 8;
  SpAtCalls sp_at_calls = SpAtCalls::kConstant;
  // How many bits of the main program's R0 are the result: 32 or 64; 0: unknown.
  int result_bits = 64;
  // The BPF stack of one frame is rounded up to a multiple of this many bytes; 1 also where that is
  // unknown.
  int frame_rounding = 8;
  BpfStack bpf_stack = BpfStack::kInFrame;
  DivisionByZero division_by_zero = DivisionByZero::kRfc;

  // ---- who does what at a BPF-to-BPF call ----
  // Who saves R6 ... R9. With kCaller they are due where the caller's next BPF instruction begins.
  Side r6_r9_saved_by = Side::kCallee;
  // Who makes R10 that of the callee, and the caller's again. With kCaller it is the callee's when
  // the callee is entered, and the caller's where the caller's next BPF instruction begins.
  Side r10_moved_by = Side::kCallee;
  // May a function that has no BPF stack, or names R10 nowhere, leave the register of R10 alone?
  Tristate r10_only_where_used = Tristate::kYes;

  // ---- what the verifier in front of the JIT lets through, where versions differ ----
  // Bytes that a frame counts a multiple of when the frames of a call chain are added up: 16 (Linux
  // 6.12 for a JIT, round_up_stack_depth()), or 32, and then at least 32 (Linux 6.1). Not what the
  // JIT makes of the frame: that is frame_rounding.
  int chain_rounding = 16;
  // May a function that a helper calls back, or one that it calls, make tail calls? Linux up to
  // 6.12: yes. 7.3: no ("cannot tail call within callback").
  bool tail_call_in_callback = true;

  bool operator==(const Contract&) const = default;
};

// The contract that cases are made for: their call chains fit under every verifier.
inline constexpr Contract kEveryVerifier{.chain_rounding = 32};

// What indirect jumps and calls have to land on, where the processor checks it or will: ENDBR64
// with x86's indirect branch tracking, BTI with arm64's branch target identification.
enum class LandingPad : std::uint8_t { kUnknown, kNone, kEndbr64, kBti };  // as plumb_landing_pad

struct LandingRule {
  LandingPad pad = LandingPad::kNone;
  // Indirect calls arrive that many bytes in front of a function's address (FineIBT).
  int call_preamble = 0;

  [[nodiscard]] constexpr bool wants_pad() const {
    return pad == LandingPad::kEndbr64 || pad == LandingPad::kBti;
  }
  bool operator==(const LandingRule&) const = default;
};

// The word in front of a function that indirect calls look for: the hash of the function's type
// (kCFI, FineIBT).
struct CfiRule {
  Tristate hashes = Tristate::kNo;
  int hash_below = 0;                  // four bytes, little-endian, that far below the address
  std::uint32_t hash_of_program = 0;   // of main functions: the kernel's bpf_func_t
  std::uint32_t hash_of_callback = 0;  // of functions that helpers call back: bpf_callback_t

  bool operator==(const CfiRule&) const = default;
};

// What a hardened kernel's JIT promises of its code.
struct CodeRule {
  // No 32-bit constant of the program stands in the code of its instruction as it is: each is put
  // together at run time from two that are random (bpf_jit_harden).
  Tristate constants_blinded = Tristate::kNo;
  // Every function signs the return address that it was called with, and authenticates it before
  // it returns (arm64, pointer authentication).
  Tristate return_addresses_signed = Tristate::kNo;
  CfiRule cfi;

  // Something that only the bytes of the code can show.
  [[nodiscard]] constexpr bool wants_code() const {
    return constants_blinded == Tristate::kYes || return_addresses_signed == Tristate::kYes ||
           cfi.hashes == Tristate::kYes;
  }
  bool operator==(const CodeRule&) const = default;
};

// Where the JIT keeps BPF's registers, and what else it hands over in registers.
struct RegisterMap {
  std::array<NativeRegister, 11> bpf{};  // of R0 ... R10
  NativeRegister frame_pointer{};        // heads the chain of frame records; none: there is none
  // R10 = value of bpf[10] + r10_bias; nothing: unknown.
  std::optional<std::int32_t> r10_bias = 0;

  // Of calls to helpers: R1 ... R5 and the result. Unknown: as the platform's C ABI has them.
  std::array<NativeRegister, 5> helper_argument{};
  NativeRegister helper_result{};
  // On entry to a program. Unknown: the context is the ABI's first argument, the others are not
  // passed.
  NativeRegister entry_context{};
  NativeRegister entry_context_size{};  // bytes
  NativeRegister entry_stack{};         // lowest address of memory for the BPF stack
  NativeRegister entry_stack_size{};    // bytes of it

  bool operator==(const RegisterMap&) const = default;
};

// Where a JIT's frames differ from those of the architecture's other JITs.
struct FrameRule {
  // Value of the frame pointer in a function's body, from the address where the prologue saved the
  // caller's first. Not 0 on x86-64 from 4.13 to 5.1, where rbp is moved on.
  std::int32_t frame_pointer_offset = 0;
  // Bytes between the stack pointer on arrival by a call and where a tail call lands. Large where
  // the target runs on in its caller's frame (x86-64 before 5.10). 0: as in the architecture's
  // other JITs.
  std::uint32_t landing_below_entry = 0;

  bool operator==(const FrameRule&) const = default;
};

}  // namespace plumb
