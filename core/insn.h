// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb {

// One instruction slot, as RFC 9669 section 3.1 lays it out; lddw takes two slots. Fields hold
// *symbolic* references (jit_under_test/plugin.h lists them): an index, never an address.
struct Insn {
  std::uint8_t opcode = 0;
  std::uint8_t dst = 0;  // 0 ... 10
  std::uint8_t src = 0;  // 0 ... 10, or the pseudo source of call and lddw
  std::int16_t offset = 0;
  std::int32_t immediate = 0;

  bool operator==(const Insn&) const = default;
};

inline constexpr int kRegisterCount = 11;
inline constexpr std::uint8_t kFramePointerRegister = 10;
inline constexpr std::uint8_t kWideLoadOpcode = 0x18;
inline constexpr std::int32_t kTailCallHelper = 12;  // bpf_tail_call, include/uapi/linux/bpf.h

// bpf_throw, a kfunc: "call bpf_throw" has kPseudoKernelCall and immediate 0. Its code stands where
// that of a helper with this number would, which no call instruction names.
inline constexpr std::int32_t kThrowStub = 3071;

// Sources of call and lddw (BPF_PSEUDO_* of include/uapi/linux/bpf.h).
inline constexpr std::uint8_t kPseudoCall = 1;
inline constexpr std::uint8_t kPseudoKernelCall = 2;  // BPF_PSEUDO_KFUNC_CALL
inline constexpr std::uint8_t kPseudoArray = 1;
inline constexpr std::uint8_t kPseudoRegion = 2;
inline constexpr std::uint8_t kPseudoFunction = 4;

}  // namespace plumb
