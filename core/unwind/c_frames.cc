// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/c_frames.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/check.h"

namespace plumb::unwind {
namespace {

constexpr std::uint64_t kWord = 8;
constexpr std::uint64_t kRecordSize = 2 * kWord;
// The processor aligns the stack before it pushes (x86-64: Intel SDM, volume 3A, section 6.14.2);
// the stacks of the others are aligned always.
constexpr std::uint64_t kAlignment = 16;
// stackframe of struct pt_regs of arm64.
constexpr std::uint64_t kRecordInRegisters = 304;

constexpr std::array kMarks{
#define PLUMB_INTERRUPT_MARK(id, name, archs, leads, sentence) \
  MarkInfo{Mark::k##id, name, archs, leads, sentence},
#include "core/unwind/interrupt_marks.inc"
};

class NoStack final : public StackReader {
 public:
  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t) const override {
    return {};
  }
};

bool is_x86(Arch arch) { return arch == Arch::kX86_64; }

}  // namespace

bool MarkInfo::is_met_on(Arch arch) const { return has_arch(archs, arch); }

std::span<const MarkInfo> mark_table() { return kMarks; }
const MarkInfo& mark_info(Mark mark) { return kMarks[static_cast<std::size_t>(mark)]; }

Mark mark_of(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      break;
    case Arch::kArm64:
      return Mark::kRecord;
    case Arch::kRiscv64:
      return Mark::kCallSite;
  }
  return Mark::kEncoded;
}

const StackReader& no_stack() {
  static const NoStack none;
  return none;
}

Row row_at_entry(Arch arch, std::uint64_t begin) {
  Row row{.begin = begin, .base = Row::Base::kStackPointer};
  if (is_x86(arch)) {
    row.cfa_offset = kWord;
    row.ra_offset = -static_cast<std::int32_t>(kWord);
  }
  return row;
}

Row row_with_record(Arch arch, std::uint64_t begin) {
  Row row = *frame_record_rows(arch).find(0);
  row.begin = begin;
  row.is_reliable = true;
  return row;
}

std::vector<Row> interrupt_rows(Arch arch) {
  return {row_with_record(arch, kHandlerCode.address),
          {.begin = kEntryCode.address,
           .kind = Row::Kind::kRegisters,
           .base = Row::Base::kStackPointer},
          {.begin = kEntryCode.address + kEntryCode.size, .kind = Row::Kind::kUnknown},
          row_with_record(arch, kHelperCode.address),
          {.begin = kHelperCode.address + kHelperCode.size, .kind = Row::Kind::kUnknown}};
}

void StackBelow::lay(std::uint64_t top, std::uint64_t low) {
  PLUMB_CHECK(top >= low && top - low <= bytes_.size());
  low_ = low;
  size_ = top - low;
  show_above(top);
  std::fill_n(bytes_.begin(), size_, kUntoldByte);
}

// As much of the other stack's window as lies there.
void StackBelow::show_above(std::uint64_t address) {
  const Window& other = stack_->window();
  const std::uint64_t end = other.range.address + other.range.size;
  const std::uint64_t begin = std::max(other.range.address, address);
  if (begin >= end) return show({});
  show({.range = {.address = begin, .size = end - begin},
        .bytes = other.bytes + (begin - other.range.address)});
}

void StackBelow::put(std::uint64_t address, std::uint64_t value) {
  std::memcpy(bytes_.data() + (address - low_), &value, kWord);
}

// Right below top: what a call of the function leaves there, and its frame record.
Cursor StackBelow::c_frame(std::uint64_t top, const Cursor& caller, std::uint64_t return_address,
                           std::uint64_t pc) {
  const std::uint64_t record = top - kRecordSize;
  put(record, caller.fp);
  put(record + kWord, return_address);
  return {.pc = pc,
          .sp = record,
          .fp = arch_ == Arch::kRiscv64 ? top : record,
          .lr = is_x86(arch_) ? 0 : return_address};
}

Cursor StackBelow::keep_record(const Cursor& at_entry) {
  if (!is_x86(arch_)) {
    lay(at_entry.sp, at_entry.sp - kRecordSize);
    return c_frame(at_entry.sp, at_entry, at_entry.lr, kHelperCode.address + 0x40);
  }
  // The return address lies there already.
  const std::uint64_t return_address = stack_->word(at_entry.sp).value_or(0);
  lay(at_entry.sp + kWord, at_entry.sp - kWord);
  return c_frame(at_entry.sp + kWord, at_entry, return_address, kHelperCode.address + 0x40);
}

Cursor StackBelow::interrupt(const Cursor& interrupted, Mark mark) {
  const SavedRegisters& saved = saved_registers(arch_);
  const std::uint64_t registers = (interrupted.sp & ~(kAlignment - 1)) - saved.size;
  const std::uint64_t top = mark == Mark::kFakeFrame ? registers - kRecordSize : registers;
  lay(interrupted.sp, top - kRecordSize);
  const auto save = [&](std::int32_t offset, std::uint64_t value) {
    if (offset >= 0) put(registers + static_cast<std::uint64_t>(offset), value);
  };
  save(saved.pc, interrupted.pc);
  save(saved.sp, interrupted.sp);
  save(saved.fp, interrupted.fp);
  save(saved.lr, interrupted.lr);
  Cursor caller = interrupted;
  switch (mark) {
    case Mark::kNothing:
    case Mark::kCallSite:
      break;
    case Mark::kFakeFrame:
      put(top, interrupted.fp);
      put(top + kWord, kFakeFunction.address + 1);
      caller.fp = top;
      break;
    case Mark::kEncoded:
      caller.fp = registers | kEncodedBit;
      break;
    case Mark::kRecord:
      caller.fp = registers + kRecordInRegisters;
      put(caller.fp, interrupted.fp);
      put(caller.fp + kWord, interrupted.pc);
      break;
  }
  return c_frame(top, caller, kEntryReturn, kHandlerCode.address + 0x40);
}

std::optional<std::uint64_t> StackBelow::word_elsewhere(std::uint64_t address) const {
  const std::uint64_t high = low_ + size_;
  if (address >= high) return stack_->word(address);
  if (!stack_->word(address)) return std::nullopt;
  if (address < low_ || high - address < kWord) return 0;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes_.data() + (address - low_), kWord);
  return word;
}

}  // namespace plumb::unwind
