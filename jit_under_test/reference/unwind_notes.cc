// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/reference/unwind_notes.h"

#include "core/check.h"

namespace plumb::jit::reference {

using unwind::Row;

namespace {

constexpr int kWord = 8;

}  // namespace

void UnwindNotes::begin(std::size_t offset) {
  rows_.clear();
  state_ = arch_ == Arch::kX86_64 ? FrameState{.sp = -kWord, .ra_at = -kWord} : FrameState{};
  note(offset);
}

void UnwindNotes::end(std::size_t offset) {
  while (!rows_.empty() && rows_.back().begin >= offset) rows_.pop_back();
  rows_.push_back({.begin = offset, .kind = Row::Kind::kUnknown});
}

// Of two notes at one place, the later one has seen more.
void UnwindNotes::append(const Row& row) {
  if (!rows_.empty() && rows_.back().begin == row.begin) rows_.pop_back();
  Row as_before = row;
  if (!rows_.empty()) as_before.begin = rows_.back().begin;
  if (rows_.empty() || rows_.back() != as_before) rows_.push_back(row);
}

void UnwindNotes::note(std::size_t offset) {
  Row row{.begin = offset};
  row.base = state_.fp ? Row::Base::kFramePointer : Row::Base::kStackPointer;
  row.cfa_offset = -(state_.fp ? *state_.fp : state_.sp + forgotten_);
  if (state_.fp || state_.fp_is_lost) row.fp_offset = state_.fp_at;
  row.ra_offset = state_.ra_at;
  // An instruction is at least one byte, and its first one is what a row is looked up by.
  if (has(Defect::kRowsOneLate)) row.begin += arch_ == Arch::kX86_64 ? 1 : 4;
  append(row);
}

void UnwindNotes::sp_moved(std::size_t offset, int by) {
  state_.sp += by;
  note(offset);
}

void UnwindNotes::sp_from_fp(std::size_t offset, int at) {
  state_.sp = at;
  note(offset);
}

void UnwindNotes::fp_from_sp(std::size_t offset) {
  state_.fp = state_.sp;
  note(offset);
}

void UnwindNotes::fp_moved(std::size_t offset, int by) {
  PLUMB_CHECK(state_.fp.has_value());
  state_.fp = *state_.fp + by;
  note(offset);
}

void UnwindNotes::fp_pushed(std::size_t offset) {
  state_.sp -= kWord;
  if (!state_.fp) state_.fp_at = state_.sp;
  forgotten_ = has(Defect::kCfaWrongAfterPush) ? kWord : 0;
  note(offset);
  forgotten_ = 0;
}

void UnwindNotes::fp_popped(std::size_t offset) {
  state_.sp += kWord;
  fp_is_callers(offset);
}

void UnwindNotes::record_pushed(std::size_t offset, bool fp_is_lower) {
  state_.sp -= 2 * kWord;
  state_.fp_at = state_.sp + (fp_is_lower ? 0 : kWord);
  state_.ra_at = state_.sp + (fp_is_lower ? kWord : 0);
  forgotten_ = has(Defect::kCfaWrongAfterPush) ? 2 * kWord : 0;
  note(offset);
  forgotten_ = 0;
}

void UnwindNotes::record_popped(std::size_t offset) {
  state_.sp += 2 * kWord;
  state_.ra_at.reset();
  fp_is_callers(offset);
}

void UnwindNotes::left(std::size_t offset) {
  PLUMB_CHECK(state_.fp.has_value() && state_.fp_at.has_value());
  const bool is_only_record = state_.fp == state_.fp_at;
  state_.sp = *state_.fp + kWord;
  if (is_only_record) return fp_is_callers(offset);
  state_.fp = state_.fp_at;
  note(offset);
}

void UnwindNotes::fp_is_callers(std::size_t offset) {
  state_.fp.reset();
  state_.fp_at.reset();
  if (!has(Defect::kNoRowBehindLeave)) note(offset);
}

void UnwindNotes::taken_over(std::size_t offset, int sp, std::optional<int> fp, int fp_at,
                             int ra_at) {
  state_ = {.sp = sp, .fp = fp, .fp_at = fp_at, .ra_at = ra_at, .fp_is_lost = !fp};
  note(offset);
}

void UnwindNotes::restore(std::size_t offset, const FrameState& state) {
  state_ = state;
  note(offset);
}

}  // namespace plumb::jit::reference
