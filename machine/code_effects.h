// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/arch.h"
#include "core/image.h"
#include "core/unwind/code_rows.h"
#include "core/unwind/unwinder.h"

namespace plumb::machine {

// The instructions of code that lies at an address, with what each does to the stack pointer, the
// frame pointer and the return address. Bytes that are no instruction end the way through them
// (Flow::kStop), four at a time on arm64, two on riscv64, one on x86-64.
[[nodiscard]] std::vector<unwind::CodeInsn> code_effects(Arch arch,
                                                         std::span<const std::uint8_t> bytes,
                                                         std::uint64_t address);

// One instruction each: what code_effects() is made of.
[[nodiscard]] unwind::CodeInsn arm64_effects(std::uint32_t word, std::uint64_t address);
// The four bytes there (two of a short one and whatever follows).
[[nodiscard]] unwind::CodeInsn riscv64_effects(std::uint32_t bits, std::uint64_t address);

// What unwinders are told of an image and of what stands around its code in the machine. The rows
// of functions and thunks are those that the JIT hands over; where it hands over none, and for all
// other code, they come from following the code (core/unwind/code_rows.h).
struct UnwindKnowledge {
  unwind::Rows jit_rows;  // of functions and thunks
  unwind::Rows c_rows;    // of the code that calls back (machine/loop_routine.h), and of the caller
  std::vector<Range> jit_code;   // of functions and thunks
  std::vector<Range> fp_ranges;  // where the JIT says that its frame pointer heads a chain
  std::vector<Range> text;       // all of the code

  // Valid as long as this is. Without call frame information: that is what others read.
  [[nodiscard]] unwind::Knowledge knowledge() const;
};
[[nodiscard]] UnwindKnowledge unwind_knowledge(const Image& image);
// The rows of functions and thunks that come from following their code, whatever the JIT hands
// over.
[[nodiscard]] unwind::Rows derived_jit_rows(const Image& image);

}  // namespace plumb::machine
