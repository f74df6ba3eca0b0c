// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/arch.h"
#include "core/unwind/step.h"
#include "jit_under_test/reference/defects.h"

namespace plumb::jit::reference {

// Where the frame of a function stands at one place of its code. Offsets in bytes from the CFA.
struct FrameState {
  int sp = 0;
  std::optional<int> fp = std::nullopt;     // value of the frame pointer; nothing: the caller's
  std::optional<int> fp_at = std::nullopt;  // where the caller's is saved
  std::optional<int> ra_at = std::nullopt;  // where the return address is; nothing: in its register
  bool fp_is_lost = false;  // the register holds neither this frame's nor the caller's

  bool operator==(const FrameState&) const = default;
};

// The rows of one function, noted by whoever emits it, as a compiler does with .cfi directives:
// each note stands behind the instruction that it is about, and says what that did. offset is where
// the code goes on, from the start of all code.
//
// The CFA is told by the frame pointer as soon as that points into the frame, by the stack pointer
// before and after: the frames that a tail call leaves to a function of another size are found,
// too.
class UnwindNotes {
 public:
  UnwindNotes(Arch arch, std::optional<Defect> defect) : arch_(arch), defect_(defect) {}

  void begin(std::size_t offset);
  void end(std::size_t offset);

  void sp_moved(std::size_t offset, int by);
  void sp_from_fp(std::size_t offset, int at);  // sp = CFA + at
  void fp_from_sp(std::size_t offset);
  void fp_moved(std::size_t offset, int by);
  // The frame pointer alone, with one word.
  void fp_pushed(std::size_t offset);
  void fp_popped(std::size_t offset);
  // Frame pointer and link register, in two words: the frame pointer in the lower one or the upper.
  void record_pushed(std::size_t offset, bool fp_is_lower);
  void record_popped(std::size_t offset);
  // The frame is another one from here on: fp as in FrameState, the record in its two words.
  void taken_over(std::size_t offset, int sp, std::optional<int> fp, int fp_at, int ra_at);
  // x86-64: sp = fp, pop fp. Of two records of one frame the lower one leads to the upper one.
  void left(std::size_t offset);

  // For code that does something to the frame and then is gone: what follows it has the frame as it
  // was remembered.
  [[nodiscard]] const FrameState& state() const { return state_; }
  void restore(std::size_t offset, const FrameState& state);

  // Of the whole function; the last one is unknown.
  [[nodiscard]] const std::vector<unwind::Row>& rows() const { return rows_; }

 private:
  void note(std::size_t offset);
  void fp_is_callers(std::size_t offset);
  void append(const unwind::Row& row);
  [[nodiscard]] bool has(Defect defect) const { return defect_ == defect; }

  Arch arch_;
  std::optional<Defect> defect_;
  FrameState state_;
  std::vector<unwind::Row> rows_;
  int forgotten_ = 0;  // bytes by which the row of a push is wrong
};

}  // namespace plumb::jit::reference
