// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "machine/testing_image.h"

namespace plumb::machine {

using Words = std::vector<std::uint32_t>;

// The few instructions that tests of arm64 and riscv64 need, as words. Registers by what they are
// for: "result" is what a native function returns.
struct TestCode {
  Arch arch = Arch::kArm64;
  int sp = 0;
  int link = 0;
  int frame_pointer = 0;
  int result = 0;
  int preserved = 0;               // some callee-saved register
  std::uint32_t frame_size = 0;    // of prologue
  std::uint32_t record_below = 0;  // entry sp - address of the saved frame pointer
  Words prologue;                  // saves the frame pointer and the link, 32 bytes of stack below
  Words epilogue;                  // undoes it, all but the return
  Words save;                      // the link, in 16 bytes of stack
  Words restore;                   // undoes it
  std::uint32_t ret = 0;
  std::uint32_t nop = 0;
  std::uint32_t trap = 0;
  std::uint32_t invalid = 0;
  std::uint32_t store = 0;         // result to sp + 8
  std::uint32_t store_below = 0;   // result to sp - 8
  std::uint32_t load = 0;          // from the address in the result
  std::uint32_t clobber_link = 0;  // link = link + 4

  [[nodiscard]] Words load_result(std::uint32_t value) const;  // below 2048
  [[nodiscard]] Words load_wide_result(std::uint64_t value) const;
  [[nodiscard]] Words load_preserved(std::uint32_t value) const;         // below 2048
  [[nodiscard]] std::uint32_t store_result(std::uint32_t offset) const;  // to sp + offset
  // R1 ... R4 = iterations of the function, a number, flags below 2048.
  [[nodiscard]] Words loop_arguments(std::uint64_t function, std::uint32_t count = 2,
                                     std::uint32_t flags = 0) const;
  [[nodiscard]] std::uint32_t call(std::uint64_t from, std::uint64_t to) const;
  [[nodiscard]] std::uint32_t jump(std::uint64_t from, std::uint64_t to) const;
};

[[nodiscard]] TestCode test_code(Arch arch);  // arm64 or riscv64

}  // namespace plumb::machine
