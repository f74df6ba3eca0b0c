// SPDX-License-Identifier: GPL-2.0-or-later
//
// The figures of the kernels' JITs, against counts made by hand in the listings of plumb explain.
#include <gtest/gtest.h>

#include "harness/testing_figures.h"

namespace plumb::harness {
namespace {

using testing::figures_text;
using testing::kEmpty;

// prologue  nop, nop, li, addi, sd (stores 1), addi
// body      li
// exit      ld (loads 1), addi, sext.w, ret (taken): behind the body
TEST(FrameFiguresLinux, AreThoseOfTheListingOfAnEmptyProgramOnRiscv64) {
  EXPECT_EQ(figures_text(kEmpty, PLUMB_PLUGIN_DIR, "linux-6.12-riscv64"),
            "instructions 11, frame_instructions 10, prologue_instructions 6, "
            "epilogue_instructions 4, stack_loads 1, stack_stores 1, branches_taken 1, "
            "code_bytes 44, stack_bytes 16");
}

}  // namespace
}  // namespace plumb::harness
