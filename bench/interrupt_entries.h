// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/placement.h"
#include "core/result.h"

// Native x86-64 code of an interrupt's entry that marks its frame in one way or another. As the
// kernel's entry does, it pushes 15 registers above which stand six words that the processor would
// have pushed; it marks the frame, calls a handler, takes everything down and returns.
//
//            +---------------------------+
//            | return to what is         |
//            | interrupted               | <- sp at the entry
//            +---------------------------+
//            | ss, sp, flags, cs, pc, -1 |
//            | rdi ... r15               | <- struct pt_regs
//            +---------------------------+
//            | of the mark               | 0 to 3 words
//            | return into the entry     | <- sp at the handler
//            +---------------------------+
//
// It returns with "ret" where the kernel has "iret", and all registers are kept but r10 and r11.
namespace plumb::bench {

enum class InterruptMark : std::uint8_t {
#define PLUMB_ENTRY_MARK(id, name, sentence) k##id,
#include "bench/interrupt_marks.inc"
};
struct InterruptMarkInfo {
  InterruptMark id = InterruptMark::kNothing;
  std::string_view name;  // "two-words"
  std::string_view sentence;
};
// In the order of the enumeration.
[[nodiscard]] std::span<const InterruptMarkInfo> interrupt_marks();

// What an interrupt was like: where it came, and what its handler found. Registers by their number
// in instructions (rax is 0).
struct InterruptSeen {
  static constexpr std::size_t kWords = 48;
  std::uint64_t pc = 0;  // of what was interrupted
  std::array<std::uint64_t, 16> before{};
  std::array<std::uint64_t, 16> after{};
  std::uint64_t sp = 0;  // at the handler
  std::uint64_t fp = 0;
  std::array<std::uint64_t, kWords> stack{};  // from sp upwards
};

class InterruptEntries {
 public:
  // An error says why they cannot run here.
  [[nodiscard]] static Result<InterruptEntries> make();
  InterruptEntries(InterruptEntries&&) noexcept;
  InterruptEntries& operator=(InterruptEntries&&) noexcept;
  ~InterruptEntries();

  // So many interrupts with an empty handler; between two stand a decrement and a jump.
  void repeat(InterruptMark mark, std::uint64_t interrupts) const;
  // One that is looked at.
  [[nodiscard]] InterruptSeen look(InterruptMark mark) const;

  // Code of the entry with the empty handler.
  [[nodiscard]] Range code(InterruptMark mark) const;
  [[nodiscard]] Range fake_function() const;
  [[nodiscard]] std::span<const std::uint8_t> bytes(const Range& range) const;

 private:
  struct Code;
  explicit InterruptEntries(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

}  // namespace plumb::bench
