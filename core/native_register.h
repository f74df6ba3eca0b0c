// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "core/arch.h"

namespace plumb {

// A native register by hardware number (x86: rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi
// 7, r8 ... r15), or that the JIT has none for the purpose, or that nobody says which.
class NativeRegister {
 public:
  static constexpr std::uint8_t kRegisters = 32;

  constexpr NativeRegister() = default;  // unknown
  // Implicit, so that tables can list numbers, which are below kRegisters.
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr NativeRegister(std::uint8_t number) : code_(number) {}
  [[nodiscard]] static constexpr NativeRegister none() { return NativeRegister(kNone); }

  [[nodiscard]] constexpr bool is_known() const { return code_ < kRegisters; }
  [[nodiscard]] constexpr bool is_none() const { return code_ == kNone; }
  [[nodiscard]] constexpr bool is_unknown() const { return code_ == kUnknown; }
  // Only of a known one.
  [[nodiscard]] constexpr std::uint8_t number() const { return code_; }
  [[nodiscard]] constexpr NativeRegister or_else(NativeRegister other) const {
    return is_unknown() ? other : *this;
  }

  bool operator==(const NativeRegister&) const = default;

 private:
  static constexpr std::uint8_t kUnknown = 0xff;
  static constexpr std::uint8_t kNone = 0xfe;
  std::uint8_t code_ = kUnknown;
};

// "rbx", "x29", "s1": in the words of the architecture's assembler; "unknown", "none"; a number
// that the architecture does not have as it stands.
[[nodiscard]] std::string register_name(Arch arch, NativeRegister native);

// How many registers of that kind the architecture has, the stack pointer included.
[[nodiscard]] constexpr std::uint8_t register_count(Arch arch) {
  return arch == Arch::kX86_64 ? 16 : NativeRegister::kRegisters;
}

}  // namespace plumb
