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

// The rows of one function that is entered at its first instruction by a call, ascending. Its
// instructions are ascending and without gaps. Where two ways meet that disagree, where something
// was done that is not followed, and where no way leads, a row says that it does not know
// (Row::Kind::kUnknown). The last row is one of these, and holds behind the function.
//
// A jump that leaves the function is taken for its end, and one that enters it in the middle (a tail
// call) is taken to find there what the function itself has there: that is what a JIT must keep to.
[[nodiscard]] std::vector<Row> rows_of_function(Arch arch, std::span<const CodeInsn> code);

}  // namespace plumb::unwind
