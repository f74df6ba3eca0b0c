// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/arch.h"
#include "core/unwind/step.h"

// Rows of code that hands over none: what each instruction does to the stack pointer, the frame
// pointer and the return address is followed from the function's entry, along its jumps.
namespace plumb::unwind {

// What an instruction does to what an unwinder follows. One instruction may do several things, one
// after another: "push rbp" moves the stack pointer and saves the frame pointer there.
struct Effect {
  enum class Kind : std::uint8_t {
    kMoveSp,    // sp += value
    kMoveFp,    // fp += value
    kSpFromFp,  // sp = fp + value
    kFpFromSp,  // fp = sp + value
    kLoseSp,    // sp, fp, the register of the return address: something that is not followed
    kLoseFp,
    kLoseLr,
    kSaveFp,  // 8 bytes at base + value
    kSaveLr,
    kLoadFp,
    kLoadLr,
    kStore,  // size bytes of something else
  };
  Kind kind = Kind::kMoveSp;
  Row::Base base = Row::Base::kStackPointer;
  std::int64_t value = 0;
  std::uint8_t size = 8;

  bool operator==(const Effect&) const = default;
};

struct CodeInsn {
  enum class Flow : std::uint8_t {
    kNext,
    kBranch,  // to the target or to the next instruction
    kJump,    // to the target
    kCall,    // to the target, and then on at the next instruction
    kStop,    // elsewhere: a return, an indirect jump, a trap
  };
  std::uint64_t address = 0;
  std::uint32_t size = 0;
  Flow flow = Flow::kNext;
  std::uint64_t target = 0;  // of a branch, a jump, a call; 0: not known
  std::vector<Effect> effects = {};

  bool operator==(const CodeInsn&) const = default;
};

// A function or a thunk: its instructions, ascending and without gaps.
struct CodePiece {
  std::vector<CodeInsn> code;
  // A thunk that is jumped to begins with the frame of whoever jumps there; everything else begins
  // as what was called.
  bool is_thunk = false;
  std::uint64_t landing = 0;  // where tail calls land in it; 0: nowhere, or not known
  // An exception callback: the frame pointer that it is given, and takes from another register,
  // heads the frame that it goes on in.
  bool takes_over = false;
};

// The rows of pieces, which are ascending, too. Where two ways meet that disagree, where something
// was done that is not followed, and where no way leads, a row says that it does not know
// (Row::Kind::kUnknown); so does the last row of each piece, for what lies behind it.
//
// A jump that leaves a function is its end, unless it leads to the start of a thunk. One that
// enters it in the middle, a tail call, is taken to find there what the function itself has there.
// But where not all landings have the stack pointer at the same place of their frames, the frame
// pointer alone counts there: those are of JITs that leave the frame of the function that is given
// up to the one that follows.
[[nodiscard]] std::vector<Row> rows_of_code(Arch arch, std::span<const CodePiece> pieces);

}  // namespace plumb::unwind
