// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/unwinder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/image.h"

namespace plumb::unwind {
namespace {

constexpr std::array kTable{
#define PLUMB_UNWINDER(id, name, archs, c_code, jit_code, sentence) \
  UnwinderInfo{Unwinder::k##id, name, archs, Rule::k##c_code, Rule::k##jit_code, sentence},
#include "core/unwind/unwinders.inc"
};

constexpr std::uint64_t kWord = 8;

bool holds(std::span<const Range> ranges, std::uint64_t address) {
  return std::ranges::any_of(ranges,
                             [address](const Range& range) { return range.contains(address); });
}

// Where the instruction is that the frame stands at: behind a call, which may be the last one of
// its function, the call.
std::uint64_t place_of(const Cursor& cursor) { return cursor.pc - (cursor.is_exact ? 0 : 1); }

// The record that a frame pointer leads to.
struct Record {
  std::uint64_t end = 0;
  std::uint64_t fp = 0;
  std::uint64_t back = 0;
};

std::uint64_t record_at(Arch arch, std::uint64_t fp) {
  return arch == Arch::kRiscv64 ? fp - 2 * kWord : fp;
}

bool read_record(Arch arch, std::uint64_t fp, const StackReader& stack, Record& record) {
  const std::uint64_t at = record_at(arch, fp);
  record.end = at + 2 * kWord;
  return stack.read(at, record.fp) && stack.read(at + kWord, record.back);
}

// What the architecture's code makes of a return address before it is looked up: arm64 takes
// pointer authentication off.
std::uint64_t plain(Arch arch, std::uint64_t address) {
  constexpr std::uint64_t kAddress = (std::uint64_t{1} << 48) - 1;
  return arch == Arch::kArm64 ? address & kAddress : address;
}

Frame caller_of(const Record& record, Arch arch, bool reliable) {
  return {.cursor = {.pc = plain(arch, record.back), .sp = record.end, .fp = record.fp, .lr = 0},
          .reliable = reliable};
}

bool ends(const Cursor& cursor, const Knowledge& knowledge) {
  return cursor.fp == kEndOfWalk ||
         (knowledge.last_record != 0 && cursor.fp == knowledge.last_record);
}

// riscv64's walk stops at what is no code: __kernel_text_address() of walk_stackframe().
bool is_no_return_address(std::uint64_t back, const Knowledge& knowledge) {
  return back == 0 || (knowledge.arch == Arch::kRiscv64 && !holds(knowledge.text, back - 1));
}

// Checked: it is aligned (unwind_frame.c does not look), on the stack, and above all that is known
// to be no part of it.
Step by_record(const Cursor& cursor, const StackReader& stack, const Knowledge& knowledge,
               bool reliable) {
  if (ends(cursor, knowledge)) return End{reliable};
  const bool has_to_be_aligned = knowledge.arch != Arch::kX86_64;
  if (has_to_be_aligned && cursor.fp % kWord != 0) return Lost{Why::kMisaligned};
  Record record;
  if (!read_record(knowledge.arch, cursor.fp, stack, record)) return Lost{Why::kOutsideStack};
  if (record_at(knowledge.arch, cursor.fp) < cursor.sp) return Lost{Why::kNotUpwards};
  if (is_no_return_address(record.back, knowledge)) return Lost{Why::kNoReturnAddress};
  return caller_of(record, knowledge.arch, reliable);
}

// fp_is_valid() of arch/riscv/kernel/stacktrace.c, behind a frame that ends at sp. The end mark is
// ours: kernels have another frame there.
bool is_frame_pointer(std::uint64_t fp, std::uint64_t sp, const StackReader& stack) {
  if (fp == kEndOfWalk) return true;
  return fp % kWord == 0 && fp >= sp + 2 * kWord && stack.word(fp - kWord).has_value();
}

// The same file: a leaf that was interrupted may have saved the frame pointer alone, where the
// return address would stand.
Step by_record_or_leaf(const Cursor& cursor, const StackReader& stack, const Knowledge& knowledge) {
  if (knowledge.arch == Arch::kRiscv64 && cursor.is_exact && cursor.fp % kWord == 0) {
    Record record;
    if (read_record(knowledge.arch, cursor.fp, stack, record) && cursor.fp > cursor.sp &&
        is_frame_pointer(record.back, cursor.fp, stack)) {
      return Frame{.cursor = {.pc = cursor.lr, .sp = cursor.fp, .fp = record.back, .lr = 0},
                   .reliable = false};
    }
  }
  return by_record(cursor, stack, knowledge, false);
}

Step by_naive_record(const Cursor& cursor, const StackReader& stack, const Knowledge& knowledge) {
  if (ends(cursor, knowledge)) return End{};
  Record record;
  if (!read_record(knowledge.arch, cursor.fp, stack, record)) return Lost{Why::kOutsideStack};
  return caller_of(record, knowledge.arch, false);
}

Step by_rows(const Cursor& cursor, const StackReader& stack, const Rows* rows) {
  return rows == nullptr ? Step(Lost{Why::kNoRow}) : step(cursor, stack, *rows);
}

// The information knows no end mark: a frame pointer that holds one leads nowhere.
Step by_call_frames(const Cursor& cursor, const StackReader& stack, const Knowledge& knowledge) {
  const auto row = knowledge.call_frames == nullptr
                       ? std::nullopt
                       : knowledge.call_frames->row_at(place_of(cursor));
  if (!row) return Lost{Why::kNoRow};
  const bool by_frame_pointer =
      row->kind == Row::Kind::kFrame && row->base == Row::Base::kFramePointer;
  if (by_frame_pointer && cursor.fp == kEndOfWalk) return Lost{Why::kOutsideStack};
  return step_by_row(cursor, stack, knowledge.arch, *row);
}

// Where those who follow frame pointers are told that an interrupt's registers lie.
std::optional<std::uint64_t> marked_registers(const Cursor& cursor, const Knowledge& knowledge) {
  switch (knowledge.mark) {
    case Mark::kEncoded:
      if ((cursor.fp & kEncodedBit) != 0) return cursor.fp - kEncodedBit;
      break;
    case Mark::kFakeFrame:
      if (kFakeFunction.contains(cursor.pc)) return cursor.sp;
      break;
    case Mark::kCallSite:
      if (cursor.pc == kEntryReturn) return cursor.sp;
      break;
    case Mark::kNothing:
    case Mark::kRecord:
      break;
  }
  return std::nullopt;
}

// What was interrupted may not have set up its frame: arch_stack_walk_reliable() fails there.
Step by_mark(std::uint64_t registers, const Cursor& cursor, const StackReader& stack,
             const Knowledge& knowledge) {
  Step there = step_to_interrupted(registers, cursor.sp, stack, knowledge.arch);
  if (auto* const frame = std::get_if<Frame>(&there)) {
    frame->reliable = false;
    // riscv64's walk knows a leaf only where it starts.
    if (knowledge.arch == Arch::kRiscv64) frame->cursor.is_exact = false;
  }
  return there;
}

}  // namespace

bool UnwinderInfo::runs_on(Arch arch) const { return has_arch(archs, arch); }

std::span<const UnwinderInfo> unwinder_table() { return kTable; }

const UnwinderInfo& unwinder_info(Unwinder id) { return kTable[static_cast<std::size_t>(id)]; }

const UnwinderInfo* find_unwinder(std::string_view name) {
  const auto* const it = std::ranges::find(kTable, name, &UnwinderInfo::name);
  return it == kTable.end() ? nullptr : it;
}

Step step(Unwinder unwinder, const Cursor& cursor, const StackReader& stack,
          const Knowledge& knowledge) {
  const UnwinderInfo& info = unwinder_info(unwinder);
  const bool in_jit_code = holds(knowledge.jit_code, place_of(cursor));
  const Rule rule = in_jit_code ? info.jit_code : info.c_code;
  const bool looks_for_marks =
      rule == Rule::kCheckedRecord || rule == Rule::kRecord || rule == Rule::kRecordOrLeaf;
  if (looks_for_marks) {
    if (const auto registers = marked_registers(cursor, knowledge)) {
      return by_mark(*registers, cursor, stack, knowledge);
    }
  }
  switch (rule) {
    case Rule::kCheckedRecord:
      return by_record(cursor, stack, knowledge, !cursor.is_exact);
    case Rule::kRecord:
      return by_record(cursor, stack, knowledge, false);
    case Rule::kRecordOrLeaf:
      return by_record_or_leaf(cursor, stack, knowledge);
    case Rule::kNaive:
      return by_naive_record(cursor, stack, knowledge);
    case Rule::kRows:
      return by_rows(cursor, stack, in_jit_code ? knowledge.jit_rows : knowledge.c_rows);
    case Rule::kFallback:
      return by_record(cursor, stack, knowledge, false);
    case Rule::kFallbackInRange:
      return by_record(cursor, stack, knowledge, holds(knowledge.fp_ranges, place_of(cursor)));
    case Rule::kCallFrames:
      return by_call_frames(cursor, stack, knowledge);
  }
  return Lost{Why::kNoRow};
}

bool follows_records(Unwinder unwinder) {
  switch (unwinder_info(unwinder).c_code) {
    case Rule::kCheckedRecord:
    case Rule::kRecord:
    case Rule::kRecordOrLeaf:
    case Rule::kNaive:
      return true;
    case Rule::kRows:
    case Rule::kFallback:
    case Rule::kFallbackInRange:
    case Rule::kCallFrames:
      break;
  }
  return false;
}

Walk walk(Unwinder unwinder, const Cursor& start, const StackReader& stack,
          const Knowledge& knowledge, std::size_t most) {
  Walk walk;
  walk_into(walk, unwinder, start, stack, knowledge, most);
  return walk;
}

void walk_into(Walk& walk, Unwinder unwinder, const Cursor& start, const StackReader& stack,
               const Knowledge& knowledge, std::size_t most) {
  walk.frames.clear();
  walk.reached_end = false;
  walk.reliable = false;
  Cursor cursor = start;
  bool reliable = true;
  while (walk.frames.size() < most) {
    const Step next = knowledge.step(unwinder, cursor, stack, knowledge);
    if (const auto* const end = std::get_if<End>(&next)) {
      walk.reached_end = true;
      walk.reliable = reliable && end->reliable;
      return;
    }
    const auto* const frame = std::get_if<Frame>(&next);
    if (frame == nullptr) {
      walk.why = std::get<Lost>(next).why;
      return;
    }
    // arch_stack_walk_reliable() fails at an address that is no code.
    const bool is_code = knowledge.text.empty() || holds(knowledge.text, place_of(frame->cursor));
    reliable = reliable && frame->reliable && is_code;
    walk.frames.push_back({.cursor = frame->cursor, .reliable = reliable});
    cursor = frame->cursor;
  }
  walk.why = Why::kTooLong;
}

}  // namespace plumb::unwind
