// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "core/opcode.h"

namespace plumb::oracle {

// Arithmetic of RFC 9669 section 4 on scalars, without any notion of pointers.

// dst = dst OP src for kAdd ... kArsh. 32 bits wide: on the low halves, zero-extended. Division by
// zero gives 0, modulo by zero leaves dst (section 4.1); the most negative number divided by -1
// gives itself, remainder 0 (Linux's standardization/instruction-set.rst, which says it where the
// RFC does not); shift counts are masked by the width.
[[nodiscard]] std::uint64_t alu64(Operation operation, std::uint64_t dst, std::uint64_t src);
[[nodiscard]] std::uint64_t alu32(Operation operation, std::uint64_t dst, std::uint64_t src);

// kNeg, kMovsx, kToLe, kToBe, kBswap on one value. width: of the operation (32: zero-extended);
// size: how many bits of the value count, for all but kNeg.
[[nodiscard]] std::uint64_t convert(Operation operation, int width, int size, std::uint64_t value);

// Does the branch kJeq ... kJsle go? 32 bits wide: on the low halves.
[[nodiscard]] bool holds(Operation operation, int width, std::uint64_t dst, std::uint64_t src);

// dst OP src of a read-modify-write kAtomicAdd ... kXchg: what goes to memory. Callers truncate.
[[nodiscard]] std::uint64_t modify(Operation operation, std::uint64_t old, std::uint64_t src);

// The low size bits of a value, sign-extended to 64.
[[nodiscard]] std::uint64_t sign_extend(std::uint64_t value, int size);

}  // namespace plumb::oracle
