// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/mistakes.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>
#include <vector>

namespace plumb::unwind {
namespace {

constexpr std::array kTable{
#define PLUMB_UNWIND_MISTAKE(id, name, archs, expected, reenacts, sentence) \
  MistakeInfo{Mistake::k##id, name, archs, expected, reenacts, sentence},
#include "core/unwind/mistakes.inc"
};

std::vector<Row> copy_of(const Rows& rows) { return {rows.all().begin(), rows.all().end()}; }

bool is_by_sp(const Row& row) {
  return row.kind == Row::Kind::kFrame && row.base == Row::Base::kStackPointer;
}

// No instruction begins at the second byte of another one.
Rows one_late(const Rows& rows, bool is_reliable) {
  std::vector<Row> late = copy_of(rows);
  for (Row& row : late) {
    ++row.begin;
    row.is_reliable = is_reliable;
  }
  return {rows.arch(), std::move(late)};
}

// A function's first row is as the last ones: the frame is given up, and nothing is left of it.
Rows without_epilogues(const Rows& rows) {
  const std::int32_t none = row_at_entry(rows.arch(), 0).cfa_offset;
  std::vector<Row> kept;
  for (const Row& row : rows.all()) {
    const bool is_begun = !kept.empty() && kept.back().kind == Row::Kind::kFrame;
    if (!is_begun || !is_by_sp(row) || row.cfa_offset != none) kept.push_back(row);
  }
  return {rows.arch(), std::move(kept)};
}

Rows without_pushes(const Rows& rows) {
  const Row entry = row_at_entry(rows.arch(), 0);
  std::vector<Row> unmoved = copy_of(rows);
  for (Row& row : unmoved) {
    if (is_by_sp(row)) row.cfa_offset = entry.cfa_offset;
  }
  return {rows.arch(), std::move(unmoved)};
}

Rows without_registers(const Rows& rows) {
  std::vector<Row> blind = copy_of(rows);
  for (Row& row : blind) {
    if (row.kind == Row::Kind::kRegisters) row.kind = Row::Kind::kUnknown;
  }
  return {rows.arch(), std::move(blind)};
}

Step without_marks(Unwinder unwinder, const Cursor& cursor, const StackReader& stack,
                   const Knowledge& knowledge) {
  Knowledge blind = knowledge;
  blind.mark = Mark::kNothing;
  return step(unwinder, cursor, stack, blind);
}

Step trusting(Unwinder unwinder, const Cursor& cursor, const StackReader& stack,
              const Knowledge& knowledge) {
  Step next = step(unwinder, cursor, stack, knowledge);
  if (auto* const frame = std::get_if<Frame>(&next)) frame->reliable = true;
  return next;
}

Step downwards(Unwinder unwinder, const Cursor& cursor, const StackReader& stack,
               const Knowledge& knowledge) {
  Step next = step(unwinder, cursor, stack, knowledge);
  if (std::holds_alternative<End>(next)) next = Frame{.cursor = cursor, .reliable = false};
  return next;
}

}  // namespace

bool MistakeInfo::is_made_on(Arch arch) const { return has_arch(archs, arch); }

std::span<const MistakeInfo> mistake_table() { return kTable; }

const MistakeInfo* find_mistake(std::string_view name) {
  const auto* const it = std::ranges::find(kTable, name, &MistakeInfo::name);
  return it == kTable.end() ? nullptr : it;
}

CodeKnowledge mistaken(const CodeKnowledge& known, Mistake mistake) {
  CodeKnowledge wrong = known;
  switch (mistake) {
    case Mistake::kRowsOneLate:
      wrong.jit_rows = one_late(known.jit_rows, true);
      break;
    case Mistake::kRowsUnsure:
      wrong.jit_rows = one_late(known.jit_rows, false);
      break;
    case Mistake::kNoEpilogueRow:
      wrong.jit_rows = without_epilogues(known.jit_rows);
      break;
    case Mistake::kCfaAfterPush:
      wrong.jit_rows = without_pushes(known.jit_rows);
      break;
    case Mistake::kMarkNotLookedFor:
      wrong.step = without_marks;
      break;
    case Mistake::kNoRegisters:
      wrong.c_rows = without_registers(known.c_rows);
      break;
    case Mistake::kFallbackTrusted:
      wrong.step = trusting;
      break;
    case Mistake::kDownwards:
      wrong.step = downwards;
      break;
  }
  return wrong;
}

}  // namespace plumb::unwind
