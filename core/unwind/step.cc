// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/step.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/image.h"

namespace plumb::unwind {
namespace {

constexpr std::uint64_t kWord = 8;

std::uint64_t moved(std::uint64_t address, std::int32_t offset) {
  return address + static_cast<std::uint64_t>(std::int64_t{offset});
}

Rows make_frame_record_rows(Arch arch) {
  Row row{.kind = Row::Kind::kFrame,
          .base = Row::Base::kFramePointer,
          .cfa_offset = 16,
          .fp_offset = -16,
          .ra_offset = -8,
          .is_reliable = false};
  if (arch == Arch::kRiscv64) row.cfa_offset = 0;
  return Rows(arch, {row});
}

// Reads a word of a frame, which lies above what is known to be no part of it, or says why not.
std::optional<Why> read_word(std::uint64_t address, const Cursor& cursor, const StackReader& stack,
                             std::uint64_t& word) {
  if (!stack.read(address, word)) return Why::kOutsideStack;
  if (address < cursor.sp) return Why::kNotUpwards;
  return std::nullopt;
}

// struct pt_regs: x86-64 r15 ... orig_ax, ip, cs, flags, sp, ss; arm64 x0 ... x30, sp, pc, pstate
// ...; riscv64 epc, ra, sp, gp, tp, t0 ... t2, s0 ...
constexpr SavedRegisters kSavedX86_64{.pc = 128, .sp = 152, .fp = 32, .size = 168};
constexpr SavedRegisters kSavedArm64{.pc = 256, .sp = 248, .fp = 232, .lr = 240, .size = 336};
constexpr SavedRegisters kSavedRiscv64{.pc = 0, .sp = 16, .fp = 64, .lr = 8, .size = 288};

}  // namespace

const SavedRegisters& saved_registers(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      break;
    case Arch::kArm64:
      return kSavedArm64;
    case Arch::kRiscv64:
      return kSavedRiscv64;
  }
  return kSavedX86_64;
}

Step step_to_interrupted(std::uint64_t saved_at, std::uint64_t lowest, const StackReader& stack,
                         Arch arch) {
  const SavedRegisters& saved = saved_registers(arch);
  Cursor there{.is_exact = true};
  const auto read = [&](std::int32_t offset, std::uint64_t& word) {
    return offset < 0 || stack.read(moved(saved_at, offset), word);
  };
  const bool is_there = read(saved.pc, there.pc) && read(saved.sp, there.sp) &&
                        read(saved.fp, there.fp) && read(saved.lr, there.lr);
  if (!is_there) return Lost{Why::kOutsideStack};
  // What was interrupted had its stack above what the interrupt keeps there.
  if (saved_at < lowest || there.sp < saved_at + saved.size) return Lost{Why::kNotUpwards};
  there.pc = code_address(arch, there.pc);
  there.lr = code_address(arch, there.lr);
  return Frame{.cursor = there, .reliable = true};
}

Rows::Rows(Arch arch, std::vector<Row> rows) : arch_(arch), rows_(std::move(rows)) {
  PLUMB_CHECK(std::ranges::is_sorted(rows_, {}, &Row::begin));
}

const Row* Rows::find(std::uint64_t pc) const {
  const auto next = std::ranges::upper_bound(rows_, pc, {}, &Row::begin);
  return next == rows_.begin() ? nullptr : &*std::prev(next);
}

const Rows& frame_record_rows(Arch arch) {
  static const std::array<Rows, 3> kRows{make_frame_record_rows(Arch::kX86_64),
                                         make_frame_record_rows(Arch::kArm64),
                                         make_frame_record_rows(Arch::kRiscv64)};
  return *std::ranges::find(kRows, arch, &Rows::arch);
}

std::string_view why_phrase(Why why) {
  constexpr std::array kPhrases{
#define PLUMB_UNWIND_LOST(name, phrase) std::string_view(phrase),
#include "core/unwind/lost.inc"
  };
  return kPhrases[static_cast<std::size_t>(why)];
}

Step step(const Cursor& cursor, const StackReader& stack, const Rows& rows) {
  const Row* const row = rows.find(cursor.is_exact || cursor.pc == 0 ? cursor.pc : cursor.pc - 1);
  return row == nullptr ? Step(Lost{Why::kNoRow}) : step_by_row(cursor, stack, rows.arch(), *row);
}

Step step_by_row(const Cursor& cursor, const StackReader& stack, Arch arch, const Row& row) {
  if (row.kind == Row::Kind::kUnknown) return Lost{Why::kNoRow};
  if (row.kind == Row::Kind::kOutermost) return End{row.is_reliable};
  const bool by_frame_pointer = row.base == Row::Base::kFramePointer;
  if (by_frame_pointer && cursor.fp == kEndOfWalk) return End{row.is_reliable};
  const std::uint64_t base = by_frame_pointer ? cursor.fp : cursor.sp;
  // x86-64 can push below an odd address, and unwind_orc.c does not look.
  const std::uint64_t cfa = moved(base, row.cfa_offset);
  if (arch != Arch::kX86_64 && cfa % kWord != 0) return Lost{Why::kMisaligned};
  if (row.kind == Row::Kind::kRegisters) {
    return step_to_interrupted(cfa, cursor.sp, stack, arch);
  }
  Frame caller{.cursor = {.pc = cursor.lr, .sp = cfa, .fp = cursor.fp, .lr = 0},
               .reliable = row.is_reliable};
  if (row.fp_offset) {
    const auto why = read_word(moved(cfa, *row.fp_offset), cursor, stack, caller.cursor.fp);
    if (why) return Lost{*why};
  }
  if (row.ra_offset) {
    const auto why = read_word(moved(cfa, *row.ra_offset), cursor, stack, caller.cursor.pc);
    if (why) return Lost{*why};
  }
  // A function that has no frame yet can have been entered with the stack pointer as it is.
  const bool stands_still = cfa == cursor.sp && !row.ra_offset && !row.fp_offset;
  if (cfa <= cursor.sp && !stands_still) return Lost{Why::kNotUpwards};
  if (caller.cursor.pc == 0) return Lost{Why::kNoReturnAddress};
  caller.cursor.pc = code_address(arch, caller.cursor.pc);
  return caller;
}

}  // namespace plumb::unwind
