// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "core/arch.h"
#include "core/placement.h"

// Walking a stack: from the registers of a function to those of its caller. Pure functions of the
// registers, of what stands on the stack, and of rows that say where each function keeps what
// belongs to its caller.
namespace plumb::unwind {

// The registers of one frame that an unwinder follows.
struct Cursor {
  std::uint64_t pc = 0;  // without the alias (core/image.h); of callers, a return address
  std::uint64_t sp = 0;  // nothing below it belongs to a frame; 0: not known
  std::uint64_t fp = 0;  // the architecture's frame pointer
  std::uint64_t lr = 0;  // the register of the return address; 0 where there is none
  // pc is the instruction that was running, not one to return to: rows are looked up there, and not
  // one byte before, where the call is.
  bool is_exact = false;

  bool operator==(const Cursor&) const = default;
};

// In the kernel's code, the frame pointer of whoever has no caller.
inline constexpr std::uint64_t kEndOfWalk = 0;

class StackReader {
 public:
  // Most of a stack lies in one piece of memory: there a word costs no call.
  struct Window {
    Range range;
    const std::uint8_t* bytes = nullptr;  // of all of the range
  };

  virtual ~StackReader() = default;
  // The 8 bytes there, which need not be aligned; nullopt unless all of them are on the stack.
  [[nodiscard]] std::optional<std::uint64_t> word(std::uint64_t address) const {
    std::uint64_t word = 0;
    return read(address, word) ? std::optional(word) : std::nullopt;
  }
  // The same, for walks: an optional value that is copied costs them a third of their time.
  [[nodiscard]] bool read(std::uint64_t address, std::uint64_t& word) const {
    if (window_.range.contains(address, kWordSize)) {
      std::memcpy(&word, window_.bytes + (address - window_.range.address), kWordSize);
      return true;
    }
    const std::optional<std::uint64_t> other = word_elsewhere(address);
    if (other) word = *other;
    return other.has_value();
  }
  [[nodiscard]] const Window& window() const { return window_; }

 protected:
  static constexpr std::uint64_t kWordSize = 8;
  // The same where the window does not have all of them.
  [[nodiscard]] virtual std::optional<std::uint64_t> word_elsewhere(
      std::uint64_t address) const = 0;
  void show(const Window& window) { window_ = window; }

 private:
  Window window_{};
};

// How to find the caller while the program counter is in [begin, begin of the next row). CFA, the
// canonical frame address, is as in DWARF: what the caller's stack pointer will be.
//
//            +---------------------------+
//   CFA ---> | of the caller             |
//            | ... fp_offset, ra_offset  |  negative
//            +---------------------------+
struct Row {
  enum class Base : std::uint8_t { kStackPointer, kFramePointer };
  enum class Kind : std::uint8_t {
    kUnknown,    // nothing is known from here on
    kFrame,      // as the other members say
    kRegisters,  // an interrupt: the registers of what it interrupted lie at the CFA
    kOutermost,  // nobody called this code: the walk ends here
  };
  std::uint64_t begin = 0;
  Kind kind = Kind::kFrame;
  Base base = Base::kFramePointer;
  std::int32_t cfa_offset = 0;  // CFA = base + cfa_offset
  // Where the caller's frame pointer stands, from the CFA; nullopt: it is in its register still.
  std::optional<std::int32_t> fp_offset = std::nullopt;
  // Where the return address stands, from the CFA; nullopt: in lr.
  std::optional<std::int32_t> ra_offset = std::nullopt;
  // Does the row hold at every instruction of its range, the first and the last included?
  bool is_reliable = true;

  bool operator==(const Row&) const = default;
};

// Rows of one architecture, by ascending begin.
class Rows {
 public:
  Rows(Arch arch, std::vector<Row> rows);  // sorted

  [[nodiscard]] Arch arch() const { return arch_; }
  // The row that holds at the address, or null.
  [[nodiscard]] const Row* find(std::uint64_t pc) const;
  [[nodiscard]] std::span<const Row> all() const { return rows_; }

 private:
  Arch arch_;
  std::vector<Row> rows_;
};

// The rule of all code that keeps frame records, wherever it runs: the frame pointer leads to two
// words, the caller's frame pointer and above it the return address. They lie at the frame pointer
// on x86-64 and arm64, in the 16 bytes below it on riscv64. Not reliable: it does not hold in
// prologues, in epilogues and in functions without a record.
[[nodiscard]] const Rows& frame_record_rows(Arch arch);

enum class Why : std::uint8_t {
#define PLUMB_UNWIND_LOST(name, phrase) k##name,
#include "core/unwind/lost.inc"
};
[[nodiscard]] std::string_view why_phrase(Why why);

struct Frame {  // of the caller
  Cursor cursor;
  bool reliable = false;

  bool operator==(const Frame&) const = default;
};
struct End {  // nobody called
  bool reliable = false;

  bool operator==(const End&) const = default;
};
struct Lost {
  Why why = Why::kNoRow;

  bool operator==(const Lost&) const = default;
};
using Step = std::variant<Frame, End, Lost>;

// Where an interrupt keeps the registers of what it interrupted: struct pt_regs of 6.12, from
// arch/*/include/uapi/asm/ptrace.h and asm/ptrace.h. Offsets in bytes; lr: -1 where there is none.
struct SavedRegisters {
  std::int32_t pc = 0;
  std::int32_t sp = 0;
  std::int32_t fp = 0;
  std::int32_t lr = -1;
  std::uint32_t size = 0;
};
[[nodiscard]] const SavedRegisters& saved_registers(Arch arch);
// The cursor of what was interrupted. Kept registers that do not lie on the stack, or whose stack
// pointer leads downwards, lose the walk.
[[nodiscard]] Step step_to_interrupted(std::uint64_t saved_at, std::uint64_t lowest,
                                       const StackReader& stack, Arch arch);

// One step outwards. Every step leads to a higher stack pointer, but for one that uses lr, which
// callers do not have: so a walk ends, whatever stands on the stack.
[[nodiscard]] Step step(const Cursor& cursor, const StackReader& stack, const Rows& rows);
// By the row that holds where the cursor is.
[[nodiscard]] Step step_by_row(const Cursor& cursor, const StackReader& stack, Arch arch,
                               const Row& row);

}  // namespace plumb::unwind
