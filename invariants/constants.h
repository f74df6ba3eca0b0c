// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/arch.h"
#include "core/insn.h"

namespace plumb::invariants {

// The 32-bit constants of an instruction that kernels blind: the immediate operand of arithmetic,
// of conditional jumps and of stores; of an lddw of a number both halves (next is its second slot).
// Offsets, amounts of shifts and what calls call are no constants.
[[nodiscard]] std::vector<std::uint32_t> constants_of(const Insn& insn, const Insn* next);

// Would it be noticed in code? Bytes of 0 and 255 are all over displacements, lengths and small
// numbers: a constant with one of them may stand there without meaning it.
[[nodiscard]] bool is_distinctive(std::uint32_t constant);

// Does the code hold the number, or put it together in one register out of immediates alone?
// x86-64: four bytes that are it, anywhere. arm64: MOVZ, MOVN and MOVK. riscv64: LUI, ADDI, ADDIW
// and SLLI, the compressed ones too. A register may hold it in either half.
[[nodiscard]] bool stands_in(Arch arch, std::span<const std::uint8_t> code, std::uint32_t constant);

}  // namespace plumb::invariants
