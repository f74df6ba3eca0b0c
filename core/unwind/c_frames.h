// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/arch.h"
#include "core/guest.h"
#include "core/placement.h"
#include "core/unwind/step.h"

// Frames of the kernel's C code on top of a JIT's: of a helper that was called, of an interrupt and
// its handler. They are laid over a stack that somebody else has; nothing of it is changed.
namespace plumb::unwind {

enum class Mark : std::uint8_t {
#define PLUMB_INTERRUPT_MARK(id, name, archs, leads, sentence) k##id,
#include "core/unwind/interrupt_marks.inc"
};
inline constexpr std::size_t kMarkCount = std::size({
#define PLUMB_INTERRUPT_MARK(id, name, archs, leads, sentence) Mark::k##id,
#include "core/unwind/interrupt_marks.inc"
});

// Of a frame pointer that is the address of an interrupt's registers (Mark::kEncoded):
// ENCODE_FRAME_POINTER of arch/x86/include/asm/frame.h.
inline constexpr std::uint64_t kEncodedBit = 1;

struct MarkInfo {
  Mark id = Mark::kNothing;
  std::string_view name;   // "fake-frame"
  std::string_view archs;  // x, a, r
  bool leads = false;      // whoever follows frame pointers finds what was interrupted
  std::string_view sentence;

  [[nodiscard]] bool is_met_on(Arch arch) const;
};
// In the order of the enumeration.
[[nodiscard]] std::span<const MarkInfo> mark_table();
[[nodiscard]] const MarkInfo& mark_info(Mark mark);
// The one that kernels of 6.12 use.
[[nodiscard]] Mark mark_of(Arch arch);

// Where the code of such frames would lie. No byte of it is ever run or read.
inline constexpr Range kHandlerCode{.address = guest::kInterruptCode, .size = 0x100};
inline constexpr Range kEntryCode{.address = guest::kInterruptCode + 0x100, .size = 0x100};
inline constexpr Range kFakeFunction{.address = guest::kInterruptCode + 0x200, .size = 2};
// In it a helper would be behind its prologue.
inline constexpr Range kHelperCode{.address = guest::kInterruptCode + 0x300, .size = 0x100};
inline constexpr Range kInterruptCode{.address = guest::kInterruptCode, .size = 0x400};
// Behind the entry code's call of the handler.
inline constexpr std::uint64_t kEntryReturn = kEntryCode.address + 0x40;

// The rows of all that, ascending; behind it nothing is known. Of the entry code they say that the
// registers lie right above its return address, which is so for every mark but a fake frame.
[[nodiscard]] std::vector<Row> interrupt_rows(Arch arch);
// The row of a function before it has done anything: the return address is where a call leaves it.
[[nodiscard]] Row row_at_entry(Arch arch, std::uint64_t begin);
// The row of a function with a frame record on top of its frame.
[[nodiscard]] Row row_with_record(Arch arch, std::uint64_t begin);

// Reads nothing: under a frame that is laid to be copied (StackBelow::bytes()).
[[nodiscard]] const StackReader& no_stack();

// What lies in frames of C code where nothing is said of it: recognisable in a dump, no address.
inline constexpr std::uint8_t kUntoldByte = 0x1e;

// A stack, which outlives it, and one more frame, or two, below a stack pointer. What stood there
// before is gone.
class StackBelow final : public StackReader {
 public:
  // What is laid has to have room: the stack pointer, where frames are laid below it, is no less.
  static constexpr std::uint64_t kMostLaid = 512;

  StackBelow(const StackReader& stack, Arch arch) : stack_(&stack), arch_(arch) {}

  // A function was called and is at its first instruction: now it has its frame record. Returns the
  // registers that it runs with.
  Cursor keep_record(const Cursor& at_entry);
  // What runs there is interrupted, and the handler, which has made its frame record, runs. Returns
  // the handler's registers.
  //
  //   x86-64                      arm64                            riscv64
  //   sp, down to 16              sp                               sp
  //   ss sp flags cs ip           exit_rcu, lockdep_hardirqs       cause ... a0
  //   orig_ax, di ... rbp         stackframe: x29, pc (record)     s1, s0 (fp)
  //   ... r15   <- registers      pmr_save ... pc, sp, x30 ... x0  tp, gp, sp, ra, epc
  //   (fake frame: function, rbp)   <- registers                     <- registers
  //   return address              x30: return address              ra: return address
  //   rbp       <- rbp, rsp       x29: the record  <- x29, sp      s0  <- sp; s0 is above
  //
  Cursor interrupt(const Cursor& interrupted, Mark mark);
  // Bytes of all that was laid, from the lower end up to the stack pointer that it lies below.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {bytes_.data(), size_}; }

  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override;

 private:
  void lay(std::uint64_t top, std::uint64_t low);
  void show_above(std::uint64_t address);
  void put(std::uint64_t address, std::uint64_t value);
  Cursor c_frame(std::uint64_t top, const Cursor& caller, std::uint64_t return_address,
                 std::uint64_t pc);

  const StackReader* stack_;
  Arch arch_;
  std::uint64_t low_ = 0;
  std::uint64_t size_ = 0;
  std::array<std::uint8_t, kMostLaid> bytes_{};
};

}  // namespace plumb::unwind
