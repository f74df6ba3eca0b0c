// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "machine/loop_routine.h"

namespace plumb::machine {

// The stub area in an instruction set whose instructions are 32-bit words.
struct StubWords {
  std::uint32_t trap = 0;
  std::uint32_t ret = 0;
  std::uint32_t jump_to_loop = 0;  // stands at the stub of the loop helper
  LoopRoutine loop_routine;
};

void write_stub_words(std::uint64_t area, const StubWords& code);
[[nodiscard]] bool stub_words_intact(std::uint64_t area, const StubWords& code);

// The word at an address of an arena, which need not be aligned.
[[nodiscard]] std::uint32_t load_word(std::uint64_t address);

}  // namespace plumb::machine
