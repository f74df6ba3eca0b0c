// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/result.h"

namespace plumb::machine {

// By hardware number: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 ... r15.
inline constexpr std::size_t kX86Registers = 16;
using X86Registers = std::array<std::uint64_t, kX86Registers>;

inline constexpr std::uint64_t kPlainFlags = 0x202;  // nothing but what is always set, interrupts
inline constexpr std::uint64_t kTrapFlag = 0x100;
inline constexpr std::uint64_t kDirectionFlag = 0x400;

// What the trampoline's code reads and writes.
struct TrampolineData {
  std::uint64_t entry = 0;                   // the function to call
  X86Registers before{};                     // on arrival, but for rsp, which is 8 lower then
  std::uint64_t flags_before = kPlainFlags;  // once(): with kTrapFlag, each instruction traps
  X86Registers after{};                      // once(): when the function has returned
  std::uint64_t flags_after = 0;             // once(): the same
  std::uint64_t calls = 0;                   // many()
  std::uint64_t running = 0;  // not 0: a jump to give_up(), with host_sp in rsp, ends the call
  std::uint64_t host_sp = 0;  // the caller's
};

// Machine code through which a function is called on a stack of its own. It saves what the
// platform's ABI asks for and brings it back whatever the function has done to registers.
class Trampoline {
 public:
  [[nodiscard]] static Result<Trampoline> make();
  Trampoline(Trampoline&& other) noexcept;
  Trampoline& operator=(Trampoline&&) = delete;
  Trampoline(const Trampoline&) = delete;
  Trampoline& operator=(const Trampoline&) = delete;
  ~Trampoline();

  [[nodiscard]] TrampolineData& data() const;

  // Calls data().entry with data().before in the registers.
  void once() const { call(once_); }
  // Calls it data().calls times, with what `before` has in rdi and rsp.
  void many() const { call(many_); }

  // Where once() goes on when the function has returned.
  [[nodiscard]] std::uint64_t returned() const { return page_ + returned_; }
  // Where once() and many() end in good order, from wherever the function is.
  [[nodiscard]] std::uint64_t give_up() const { return page_ + give_up_; }
  // A function that only returns.
  [[nodiscard]] std::uint64_t empty_function() const { return page_ + empty_; }

 private:
  Trampoline() = default;
  void call(std::uint64_t offset) const;

  std::uint64_t page_ = 0;  // of code; the data lie on the next one
  std::uint64_t once_ = 0;  // offsets
  std::uint64_t many_ = 0;
  std::uint64_t returned_ = 0;
  std::uint64_t give_up_ = 0;
  std::uint64_t empty_ = 0;
};

}  // namespace plumb::machine
