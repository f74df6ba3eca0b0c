// SPDX-License-Identifier: GPL-2.0-or-later
//
// The figures against counts made by hand in the listings of plumb explain.
#include "harness/frame_figures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "harness/testing_figures.h"

namespace plumb::harness {
namespace {

using testing::figures_text;
using testing::kEmpty;

constexpr std::string_view kTailCall = R"(.case 1
.array jmp 1
.slot jmp 0 target
.program entry
.function main
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 1
        exit
.program target
.function main
        r0 = 2
        exit
)";

constexpr std::string_view kSubprogram = R"(.case 1
.program entry
.function main
        r6 = 5
        call sub
        r0 += r6
        exit
.function sub
        *(u64 *)(r10 - 8) = 1
        r0 = *(u64 *)(r10 - 8)
        exit
)";

// prologue  nop5, nop3, push rbp (stores 1), mov rbp, rsp
// body      mov rax, 0
// exit      leave (loads 1), ret (loads 1, taken)
// 21 bytes; the push: 8 bytes of stack
TEST(FrameFigures, AreThoseOfTheListingOfAnEmptyProgramCountByReference) {
  EXPECT_EQ(figures_text(kEmpty, "", "reference:x86_64-6.12"),
            "instructions 7, frame_instructions 6, prologue_instructions 4, "
            "epilogue_instructions 2, stack_loads 2, stack_stores 1, branches_taken 1, "
            "code_bytes 21, stack_bytes 8");
}

// prologue  push rbp, mov, sub rsp, sub rbp, 4 mov to the stack, xor, mov to the stack: 10
//           instructions, 6 stores; 8 + 40 bytes of stack
// body      mov rax, 0
// exit      4 mov from the stack, add, leave, ret: 7 instructions, 6 loads
TEST(FrameFigures, AreThoseOfTheListingOfAnEmptyProgramWithTheMangledFramePointer) {
  EXPECT_EQ(figures_text(kEmpty, "", "reference:x86_64-4.13"),
            "instructions 18, frame_instructions 17, prologue_instructions 10, "
            "epilogue_instructions 7, stack_loads 6, stack_stores 6, branches_taken 1, "
            "code_bytes 66, stack_bytes 48");
}

// prologue   nop5, xor, push rbp, mov, cmp, ja (not taken), push rax, mov, jmp (taken), push rax:
//            10 instructions, 3 stores, 24 bytes of stack; the push between is passed over
// body       movabs, mov
// tail call  mov from the stack, cmp with the stack, jae, nop5, add to the stack, pop, pop, jmp
//            (taken): 8 instructions, 5 loads, 1 store
// target     lands behind its prologue: mov; leave, ret (taken): 2 loads
// 78 and 21 bytes
TEST(FrameFigures, AreThoseOfTheListingOfATailCall) {
  EXPECT_EQ(figures_text(kTailCall, "", "reference:x86_64-6.12"),
            "instructions 23, frame_instructions 20, prologue_instructions 10, "
            "epilogue_instructions 2, tail_call_instructions 8, stack_loads 7, stack_stores 4, "
            "branches_taken 3, code_bytes 99, stack_bytes 24");
}

// main  prologue 7, 3 stp (6 stores, 48 bytes); movz; bl (taken), mov: the call; add; exit: 3 ldp
//       (6 loads), mov, ret (taken): 5; 64 bytes
// sub   prologue 8, 3 stp, 16 bytes of BPF stack (64 bytes); movz, stur, ldur; exit: add, 3 ldp,
//       mov, ret (taken): 6; 68 bytes
TEST(FrameFigures, AreThoseOfTheListingOfASubprogramOnArm64) {
  EXPECT_EQ(figures_text(kSubprogram, "", "reference:arm64-6.12"),
            "instructions 33, frame_instructions 28, prologue_instructions 15, "
            "epilogue_instructions 11, call_instructions 2, stack_loads 13, stack_stores 13, "
            "branches_taken 3, code_bytes 132, stack_bytes 112");
}

// nop: the prologue; jmp to a thunk, the thunk's ret: the exit; a helper's stub, which does not
// count.
TEST(FrameFigures, CountThunksWhereTheyAreEnteredAndNoStubs) {
  std::vector<std::uint8_t> code(0x2000, 0x90);
  constexpr std::array<std::uint8_t, 5> kJump{0xe9, 0xfa, 0x0f, 0x00, 0x00};
  std::ranges::copy(kJump, code.begin() + 1);
  code[0x1000] = 0xc3;
  Image image;
  image.placement.memory = {
      {.guest = {.address = 0x1000, .size = code.size()}, .host = code.data()}};
  image.functions.push_back(
      {.address = 0x1000, .size = 6, .tail_call_entry = std::nullopt, .insn_offsets = {1, 6}});
  image.symbols.push_back({.name = "thunk", .address = 0x2000, .is_thunk = true});
  const auto value = parse_case(".case 1\n.program entry\n.function main\n exit\n");
  ASSERT_TRUE(value);
  MachineRun run;
  run.entry_sp = 0x8000;
  for (const std::uint64_t pc : {0x1000, 0x7000, 0x1001, 0x2000}) {
    run.steps.push_back({.pc = pc, .sp = pc == 0x7000 ? 0x7f00U : 0x8000U - (pc & 0xf) * 8});
  }
  // Of the stub, of the jump, of a helper's mock.
  for (const std::int32_t step : {1, 2, 2}) {
    run.accesses.push_back({.pc = 1, .address = 0x7ff0, .size = 12, .step = step});
  }
  run.accesses.back().pc = 0;
  EXPECT_EQ(testing::text_of(figures_of(*value, image, run)),
            "instructions 3, frame_instructions 3, prologue_instructions 1, "
            "epilogue_instructions 2, stack_stores 2, branches_taken 3, code_bytes 6, "
            "stack_bytes 16");
}

TEST(FrameFigures, AreTheSameInEveryRun) {
  for (const auto* jit :
       {"reference:x86_64-6.12", "reference:x86_64-5.5", "reference:arm64-6.12"}) {
    for (const std::string_view text : {kTailCall, kSubprogram}) {
      EXPECT_EQ(figures_text(text, "", jit), figures_text(text, "", jit)) << jit;
    }
  }
}

TEST(FrameFigures, SayWhyThereAreNone) {
  constexpr std::string_view kTailCallInSubprogram = R"(.case 1
.array jmp 1
.program entry
.function main
        call sub
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 0
        exit
)";
  EXPECT_EQ(figures_text(kTailCallInSubprogram, "", "reference:x86_64-5.2"),
            "not applicable: the JIT lacks tail-calls-in-subprograms");
  constexpr std::string_view kEndless = R"(.case 1
.program entry
.function main
again:
        r0 = 0
        goto again
        exit
)";
  EXPECT_EQ(figures_text(kEndless, "", "reference:x86_64-6.12"),
            "out of budget: ran out of instructions");
}

}  // namespace
}  // namespace plumb::harness
