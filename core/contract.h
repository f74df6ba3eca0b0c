// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>

namespace plumb {

// The points in which real JITs differ legitimately. The oracle runs under the contract of the JIT
// that it judges. Nothing here can loosen what the platform's ABI or the kernel promises.
struct Contract {
  // Does an attempt to tail-call an empty slot count towards the limit of 33? x86-64 before 6.12,
  // arm64 before 6.12, riscv64 and the interpreter: yes.
  bool empty_slot_consumes_count = false;
  // With the above: a function that also calls keeps the count in a register of its own, and there
  // an attempt at an empty slot consumes nothing. riscv64 (rv_tail_call_reg() of its JIT).
  bool calls_keep_count = false;
  // Alignment in bytes of the stack pointer just before a call instruction. The kernel's x86-64
  // code is compiled with an 8-byte stack boundary.
  int call_alignment = 8;
  // How many bits of the main program's R0 are the result.
  int result_bits = 64;
  // The BPF stack of one frame is rounded up to a multiple of this many bytes.
  int frame_rounding = 8;

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
enum class LandingPad : std::uint8_t { kNone, kEndbr64, kBti };  // as enum plumb_landing_pad

struct LandingRule {
  LandingPad pad = LandingPad::kNone;
  // Indirect calls arrive that many bytes in front of a function's address (FineIBT).
  int call_preamble = 0;

  bool operator==(const LandingRule&) const = default;
};

// Where the JIT keeps BPF's registers, by hardware register number (x86: rax 0, rcx 1, rdx 2, rbx
// 3, rsp 4, rbp 5, rsi 6, rdi 7, r8 ... r15).
struct RegisterMap {
  std::array<std::uint8_t, 11> bpf{};  // native register of R0 ... R10
  std::uint8_t frame_pointer = 0;      // heads the chain of frame records
  std::int32_t r10_bias = 0;           // R10 = value of bpf[10] + r10_bias

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
