// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/step.h"

#include <gtest/gtest.h>

#include "core/image.h"
#include "core/unwind/testing_stack.h"

namespace plumb::unwind {
namespace {

constexpr Arch kArchs[] = {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64};
// Offset of the saved frame pointer from the frame pointer, by the architecture's documents: System
// V psABI of x86-64 (3.2.2), AAPCS64 (6.4.6), RISC-V psABI (frame pointer convention).
std::uint64_t saved_at(Arch arch, std::uint64_t fp) {
  return arch == Arch::kRiscv64 ? fp - 16 : fp;
}

TEST(FrameRecordWalk, FindsTheCallerOnEveryArchitecture) {
  for (const Arch arch : kArchs) {
    TestStack stack;
    stack.words = {{saved_at(arch, 0x1100), 0x1200}, {saved_at(arch, 0x1100) + 8, 0x40'0000}};
    const Step got = step({.pc = 0x30'0000, .sp = 0x1080, .fp = 0x1100, .lr = 77}, stack,
                          frame_record_rows(arch));
    const std::uint64_t cfa = saved_at(arch, 0x1100) + 16;
    EXPECT_TRUE(got == Step(Frame{.cursor = {.pc = 0x40'0000, .sp = cfa, .fp = 0x1200, .lr = 0},
                                  .reliable = false}))
        << arch_name(arch);
  }
}

TEST(FrameRecordWalk, EndsAtTheEndMark) {
  for (const Arch arch : kArchs) {
    EXPECT_TRUE(step({.pc = 1, .sp = 0x1080, .fp = kEndOfWalk, .lr = 0}, TestStack(),
                     frame_record_rows(arch)) == Step(End{}));
  }
}

TEST(FrameRecordWalk, TakesTheAliasOffReturnAddressesOfArm64) {
  for (const Arch arch : kArchs) {
    TestStack stack;
    const std::uint64_t back = kCodeAlias | 0x40'0000;
    stack.words = {{saved_at(arch, 0x1100), 0}, {saved_at(arch, 0x1100) + 8, back}};
    const Step got =
        step({.pc = 1, .sp = 0, .fp = 0x1100, .lr = 0}, stack, frame_record_rows(arch));
    ASSERT_TRUE(std::holds_alternative<Frame>(got));
    EXPECT_EQ(std::get<Frame>(got).cursor.pc, arch == Arch::kArm64 ? 0x40'0000 : back);
  }
}

TEST(FrameRecordWalk, SaysWhyItIsLost) {
  struct Row {
    const char* name;
    std::uint64_t sp;
    std::uint64_t record;  // address of the saved frame pointer
    Why why;
  };
  const Row rows[] = {
      {"odd address", kLow, 0x1104, Why::kMisaligned},
      {"below the stack", 0, kLow - 16, Why::kOutsideStack},
      {"half below the stack", 0, kLow - 8, Why::kOutsideStack},
      {"half above the stack", kLow, kHigh - 8, Why::kOutsideStack},
      {"no address at all", kLow, 0x7e57'0005'7e57'0000, Why::kOutsideStack},
      {"the last addresses there are", kLow, ~std::uint64_t{7}, Why::kOutsideStack},
      {"below the stack pointer", 0x1108, 0x1100, Why::kNotUpwards},
      {"holds nothing", 0x1100, 0x1100, Why::kNoReturnAddress},
  };
  for (const Arch arch : kArchs) {
    for (const Row& row : rows) {
      if (arch == Arch::kX86_64 && row.why == Why::kMisaligned) continue;  // it does not look
      const std::uint64_t fp = row.record + (arch == Arch::kRiscv64 ? 16 : 0);
      if (fp == kEndOfWalk) continue;  // riscv64: that is the mark
      const Step got =
          step({.pc = 1, .sp = row.sp, .fp = fp, .lr = 0}, TestStack(), frame_record_rows(arch));
      EXPECT_TRUE(got == Step(Lost{row.why})) << arch_name(arch) << ": " << row.name;
    }
  }
}

// Whatever stands on the stack, every step leads upwards.
TEST(FrameRecordWalk, EndsOnAStackOfRecordsThatPointAtEachOther) {
  for (const Arch arch : kArchs) {
    TestStack stack;
    const std::uint64_t low = saved_at(arch, 0x1100);
    const std::uint64_t high = saved_at(arch, 0x1200);
    stack.words = {{low, 0x1200}, {low + 8, 5}, {high, 0x1100}, {high + 8, 6}};
    Step at = Frame{.cursor = {.pc = 1, .sp = kLow, .fp = 0x1100, .lr = 0}, .reliable = false};
    int steps = 0;
    for (; std::holds_alternative<Frame>(at) && steps < 10; ++steps) {
      at = step(std::get<Frame>(at).cursor, stack, frame_record_rows(arch));
    }
    EXPECT_EQ(steps, 3);
    EXPECT_TRUE(at == Step(Lost{Why::kNotUpwards}));
  }
}

// A function in rows of its own: entered at 0x100, its frame stands from 0x110 to 0x120.
Rows function_rows(Arch arch) {
  const bool has_link = arch != Arch::kX86_64;
  const auto on_entry = has_link ? std::nullopt : std::optional(-8);
  return Rows(arch, {{.begin = 0x80, .kind = Row::Kind::kOutermost},
                     {.begin = 0x90, .kind = Row::Kind::kUnknown},
                     {.begin = 0x100,
                      .base = Row::Base::kStackPointer,
                      .cfa_offset = has_link ? 0 : 8,
                      .fp_offset = std::nullopt,
                      .ra_offset = on_entry},
                     {.begin = 0x110,
                      .base = Row::Base::kStackPointer,
                      .cfa_offset = 48,
                      .fp_offset = -16,
                      .ra_offset = -8},
                     {.begin = 0x120, .kind = Row::Kind::kUnknown}});
}

TEST(UnwindRows, FollowTheProgramCounter) {
  for (const Arch arch : kArchs) {
    const Rows rows = function_rows(arch);
    const bool has_link = arch != Arch::kX86_64;
    TestStack stack;
    stack.words = {{0x1100, 0x85}, {0x1120, 0x1800}, {0x1128, 0x85}};
    const Cursor on_entry{
        .pc = 0x100, .sp = 0x1100, .fp = 0x1700, .lr = has_link ? 0x85u : 0u, .is_exact = true};
    const std::uint64_t pushed = has_link ? 0 : 8;
    EXPECT_TRUE(step(on_entry, stack, rows) ==
                Step(Frame{.cursor = {.pc = 0x85, .sp = 0x1100 + pushed, .fp = 0x1700, .lr = 0},
                           .reliable = true}));
    const Cursor in_body{.pc = 0x11f, .sp = 0x1100, .fp = 0x1700, .lr = 0x3333, .is_exact = true};
    EXPECT_TRUE(
        step(in_body, stack, rows) ==
        Step(Frame{.cursor = {.pc = 0x85, .sp = 0x1130, .fp = 0x1800, .lr = 0}, .reliable = true}));
    EXPECT_TRUE(step({.pc = 0x85, .sp = 0x1130, .fp = 0x1800, .lr = 0}, stack, rows) ==
                Step(End{true}));
    for (const std::uint64_t unknown : {0x7fu, 0x90u, 0xffu, 0x120u}) {
      EXPECT_TRUE(step({.pc = unknown, .sp = 0x1100, .fp = 0, .lr = 0, .is_exact = true}, stack,
                       rows) == Step(Lost{Why::kNoRow}))
          << unknown;
    }
  }
}

// A return address belongs to the row of the call in front of it.
TEST(UnwindRows, LookUpACallWhereItStands) {
  TestStack stack;
  stack.words = {{0x1120, 0x1800}, {0x1128, 0x85}};
  for (const Arch arch : kArchs) {
    const Rows rows = function_rows(arch);
    for (const bool is_exact : {false, true}) {
      const Step got =
          step({.pc = 0x120, .sp = 0x1100, .fp = 0, .lr = 0, .is_exact = is_exact}, stack, rows);
      EXPECT_EQ(std::holds_alternative<Frame>(got), !is_exact);
    }
  }
}

// The link register is the innermost frame's alone: a second frame without a record has no caller.
TEST(UnwindRows, TakeTheLinkRegisterOnce) {
  const Rows rows = function_rows(Arch::kArm64);
  const Step first = step({.pc = 0x104, .sp = 0x1100, .fp = 0, .lr = 0x108}, TestStack(), rows);
  ASSERT_TRUE(std::holds_alternative<Frame>(first));
  EXPECT_TRUE(step(std::get<Frame>(first).cursor, TestStack(), rows) ==
              Step(Lost{Why::kNoReturnAddress}));
}

TEST(UnwindRows, RefuseAFrameThatDoesNotLeadUpwards) {
  const Rows rows(Arch::kX86_64, {{.begin = 0,
                                   .base = Row::Base::kStackPointer,
                                   .cfa_offset = -32,
                                   .fp_offset = std::nullopt,
                                   .ra_offset = 40}});
  TestStack stack;
  stack.words = {{0x1108, 5}};
  EXPECT_TRUE(step({.pc = 1, .sp = 0x1100, .fp = 0, .lr = 0}, stack, rows) ==
              Step(Lost{Why::kNotUpwards}));
}

}  // namespace
}  // namespace plumb::unwind
