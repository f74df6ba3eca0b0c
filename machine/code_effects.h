// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/arch.h"
#include "core/image.h"
#include "core/unwind/code_knowledge.h"
#include "core/unwind/code_rows.h"

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

// The rows of functions and thunks are those that the JIT hands over; where it hands over none, and
// for all other code, they come from following the code (core/unwind/code_rows.h).
using UnwindKnowledge = unwind::CodeKnowledge;
[[nodiscard]] UnwindKnowledge unwind_knowledge(const Image& image);
// The rows of functions and thunks that come from following their code, whatever the JIT hands
// over.
[[nodiscard]] unwind::Rows derived_jit_rows(const Image& image);

}  // namespace plumb::machine
