// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/stray_walks.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/unwind/c_frames.h"
#include "core/unwind/code_knowledge.h"
#include "core/unwind/eh_frame.h"
#include "gen/choices.h"

namespace plumb::fuzz {
namespace {

using unwind::Cursor;
using unwind::Row;
using unwind::Unwinder;

constexpr Range kStack{.address = 0x54'0000'0000, .size = 0x400};
constexpr Range kCode{.address = 0x4000'0000, .size = 0x100};
constexpr Range kCCode{.address = 0x5000'0000, .size = 0x100};
constexpr std::size_t kMost = 4096;

class Stack final : public unwind::StackReader {
 public:
  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override {
    if (!kStack.contains(address, sizeof(std::uint64_t))) return std::nullopt;
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + (address - kStack.address), sizeof word);
    return word;
  }
  void put(std::size_t index, std::uint64_t word) {
    std::memcpy(bytes_.data() + index * sizeof word, &word, sizeof word);
  }

 private:
  std::array<std::uint8_t, kStack.size> bytes_{};
};

class RowReader final : public unwind::CallFrameInfo {
 public:
  explicit RowReader(const unwind::CodeKnowledge& known) : known_(known) {}
  [[nodiscard]] std::optional<Row> row_at(std::uint64_t pc) const override {
    const Row* const row = (kCode.contains(pc) ? known_.jit_rows : known_.c_rows).find(pc);
    return row == nullptr ? std::nullopt : std::optional(*row);
  }

 private:
  const unwind::CodeKnowledge& known_;
};

// A place on the stack or near it, code, a mark, a small number, anything.
std::uint64_t any_word(gen::ChoiceStream& choices) {
  const auto place = [&choices](const Range& range) {
    const std::uint64_t offset = choices.below(range.size + 0x20);
    return range.address + offset - 0x10;
  };
  constexpr std::array kWeights{10, 6, 4, 2, 3, 1};
  switch (choices.weighted(kWeights)) {
    case 0:
      return place(kStack) & ~std::uint64_t{7};
    case 1:
      return place(kCode);
    case 2:
      return place(kCCode);
    case 3:
      return place(unwind::kInterruptCode);
    case 4:
      return choices.below(2) == 0 ? 0 : place(kStack);
    default:
      return choices.word();
  }
}

std::int32_t any_offset(gen::ChoiceStream& choices) {
  return 8 * (static_cast<std::int32_t>(choices.below(32)) - 16);
}

std::vector<Row> any_rows(gen::ChoiceStream& choices, const Range& range) {
  std::vector<Row> rows;
  const std::uint64_t count = choices.below(8);
  for (std::uint64_t i = 0; i < count; ++i) {
    Row row{.begin = range.address + choices.below(range.size)};
    row.kind = static_cast<Row::Kind>(choices.below(4));
    row.base = static_cast<Row::Base>(choices.below(2));
    row.cfa_offset = any_offset(choices);
    if (choices.below(3) != 0) row.fp_offset = any_offset(choices);
    if (choices.below(4) != 0) row.ra_offset = any_offset(choices);
    row.is_reliable = choices.below(2) == 0;
    rows.push_back(row);
  }
  rows.push_back({.begin = range.address + range.size, .kind = Row::Kind::kUnknown});
  std::ranges::sort(rows, {}, &Row::begin);
  return rows;
}

unwind::CodeKnowledge any_knowledge(gen::ChoiceStream& choices, Arch arch) {
  std::vector<Row> jit_rows = any_rows(choices, kCode);
  std::vector<Row> c_rows = any_rows(choices, kCCode);
  const std::vector<Row> more = unwind::interrupt_rows(arch);
  c_rows.insert(c_rows.end(), more.begin(), more.end());
  std::vector<Range> fp_ranges;
  if (choices.below(2) == 0) {
    const std::uint64_t begin = choices.below(kCode.size);
    fp_ranges.push_back({.address = kCode.address + begin, .size = choices.below(kCode.size)});
  }
  return {.jit_rows = unwind::Rows(arch, std::move(jit_rows)),
          .c_rows = unwind::Rows(arch, std::move(c_rows)),
          .jit_code = {kCode},
          .fp_ranges = std::move(fp_ranges),
          .text = {kCode, kCCode, unwind::kInterruptCode}};
}

Cursor any_cursor(gen::ChoiceStream& choices, bool is_exact) {
  Cursor cursor{.is_exact = is_exact};
  cursor.pc = any_word(choices);
  cursor.sp = kStack.address + 8 * choices.below(kStack.size / 8);
  if (choices.below(8) == 0) cursor.sp = any_word(choices);
  cursor.fp = any_word(choices);
  cursor.lr = any_word(choices);
  return cursor;
}

// Every step leads upwards, but for those that find the return address in a register: there can be
// one at the start, and one behind each interrupt.
void check(const unwind::Walk& walk, const Cursor& start) {
  PLUMB_CHECK(walk.reached_end || walk.why != unwind::Why::kTooLong);
  std::uint64_t sp = start.sp;
  std::size_t standing = 0;
  for (const unwind::Frame& frame : walk.frames) {
    PLUMB_CHECK(frame.cursor.sp >= sp);
    standing = frame.cursor.sp == sp ? standing + 1 : 0;
    PLUMB_CHECK(standing <= 1);
    sp = frame.cursor.sp;
  }
}

class Wanderer {
 public:
  Wanderer(const unwind::CodeKnowledge& known, unwind::Mark mark)
      : reader_(known), knowledge_(known.knowledge()) {
    knowledge_.call_frames = &reader_;
    knowledge_.mark = mark;
  }
  void start_at(const Cursor& start, const unwind::StackReader& stack) {
    for (const unwind::UnwinderInfo& info : unwind::unwinder_table()) {
      if (!info.runs_on(knowledge_.arch)) continue;
      const unwind::Walk walk = unwind::walk(info.id, start, stack, knowledge_, kMost);
      if (info.id != Unwinder::kBackwardsEdge) check(walk, start);
      ++seen_.walks;
      seen_.ended += walk.reached_end;
      seen_.frames += info.id == Unwinder::kBackwardsEdge ? 0 : walk.frames.size();
    }
  }
  [[nodiscard]] const StrayWalks& seen() const { return seen_; }

 private:
  RowReader reader_;
  unwind::Knowledge knowledge_;
  StrayWalks seen_;
};

}  // namespace

StrayWalks walk_astray(std::span<const std::uint8_t> bytes) {
  gen::ChoiceStream choices(bytes);
  constexpr std::array kArchs{Arch::kX86_64, Arch::kArm64, Arch::kRiscv64};
  const Arch arch = kArchs[choices.below(kArchs.size())];
  const auto mark = static_cast<unwind::Mark>(choices.below(unwind::kMarkCount));
  const unwind::CodeKnowledge known = any_knowledge(choices, arch);
  Cursor start = any_cursor(choices, choices.below(4) != 0);
  Stack stack;
  for (std::size_t i = 0; i < kStack.size / 8; ++i) stack.put(i, any_word(choices));
  Wanderer wanderer(known, mark);
  wanderer.start_at(start, stack);
  static_cast<void>(unwind::eh_frame(arch, known.jit_rows.all()));
  start.sp = std::max(start.sp, unwind::StackBelow::kMostLaid);
  unwind::StackBelow below(stack, arch);
  wanderer.start_at(below.interrupt(start, mark), below);
  wanderer.start_at(below.keep_record(start), below);
  return wanderer.seen();
}

}  // namespace plumb::fuzz
