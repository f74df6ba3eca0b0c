// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/case.h"
#include "core/opcode.h"

// Cases for the tests of core: everything that the text format can say, whether or not it makes a
// sensible program.
namespace plumb::testing {

// Decisions read from bytes; zeros when they run out, so that fewer bytes make a smaller case.
class Choices {
 public:
  explicit Choices(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] std::uint64_t bits(int bytes);
  // In [0, bound); bound > 0.
  [[nodiscard]] std::size_t below(std::size_t bound);
  [[nodiscard]] std::size_t between(std::size_t least, std::size_t greatest) {
    return least + below(greatest - least + 1);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t next_ = 0;
};

// size bytes from the seed.
[[nodiscard]] Choices random_choices(std::uint64_t seed, std::size_t size);

// A case that parse_case can return.
[[nodiscard]] Case random_case(Choices& choices);

// The code of a function in a case without arrays and regions.
[[nodiscard]] std::vector<Insn> random_code(Choices& choices);

// A well-formed instruction of the form, without what it refers to: jumps go to the next
// instruction, symbols have index 0.
[[nodiscard]] Insn random_insn(const OpcodeInfo& info, Choices& choices);

}  // namespace plumb::testing
