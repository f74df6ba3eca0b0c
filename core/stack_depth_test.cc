// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/stack_depth.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "core/case_text.h"

namespace plumb {
namespace {

struct Row {
  const char* name;
  const char* code;
  int depth;
};

TEST(StackDepth, IsInferredFromWhatTheCodeNames) {
  const Row kRows[] = {
      {"no stack", "r0 = 0", 0},
      {"a store", "*(u64 *)(r10 - 24) = r1", 24},
      {"an immediate store", "*(u8 *)(r10 - 1) = 3", 1},
      {"a load", "r1 = *(u32 *)(r10 - 12)", 12},
      {"a signed load", "r1 = *(s8 *)(r10 - 5)", 5},
      {"an atomic", "lock *(u64 *)(r10 - 8) += r1", 8},
      {"above the frame pointer", "r1 = *(u32 *)(r10 + 8)", 0},
      {"the deepest counts", "*(u8 *)(r10 - 40) = 0\n*(u8 *)(r10 - 2) = 0", 40},
      {"an address", "r2 = r10\nr2 += -64", 64},
      {"an address by subtraction", "r2 = r10\nr2 -= 64", 64},
      {"a copy of an address", "r2 = r10\nr2 += -8\nr3 = r2\nr3 += -8", 16},
      {"an access through a copy", "r2 = r10\n*(u64 *)(r2 - 32) = r1", 32},
      {"an access through an address", "r2 = r10\nr2 += -16\n*(u64 *)(r2 - 8) = r1", 24},
      {"an address that comes back", "r2 = r10\nr2 += 8\nr2 += -16", 8},
      {"a narrow copy is no address", "w2 = w10\nr2 += -64", 0},
      {"an unknown sum is no address", "r2 = r10\nr2 += r3\nr2 += -64", 0},
      {"a register that was loaded over", "r2 = r10\nr2 = *(u64 *)(r1 + 0)\nr2 += -64", 0},
      {"a register that a fetch wrote", "r2 = r10\nr2 = xchg_64(r1 + 0, r2)\nr2 += -64", 0},
      {"r0 that cmpxchg wrote", "r0 = r10\nr0 = cmpxchg_64(r1 + 0, r0, r2)\nr0 += -64", 0},
      {"a call destroys r1 to r5", "r2 = r10\ncall 7\nr2 += -64", 0},
      {"a call leaves r6 to r9", "r6 = r10\ncall 7\nr6 += -64", 64},
      {"a branch passed by", "r6 = r10\nif r1 == 0 goto +1\nr6 += -64", 64},
      {"a join of ways", "r6 = r10\nif r1 == 0 goto +0\nr6 += -64", 0},
      {"r10 is known everywhere", "if r1 == 0 goto +0\n*(u8 *)(r10 - 7) = 0", 7},
      {"behind a jump", "r6 = r10\ngoto +1\nr6 += -64", 0},
      {"too much is cut", "*(u8 *)(r10 - 4096) = 0", kMaxStackDepth},
      {"the far end", "r2 = r10\nr2 += -2147483648\nr2 += -2147483648", kMaxStackDepth},
  };
  for (const Row& row : kRows) {
    const Result<Case> value =
        parse_case(fmt::format(".case 1\n.program p\n.function f\n{}\nexit\n", row.code));
    ASSERT_TRUE(value.has_value()) << row.name << value.error().str();
    const Function& function = value->programs[0].functions[0];
    EXPECT_EQ(infer_stack_depth(function.insns), row.depth) << row.name;
    EXPECT_EQ(function.stack_depth, row.depth) << row.name;
  }
}

TEST(StackDepth, TakesAnyBytes) {
  const std::vector<Insn> insns = {
      {.opcode = 0xff, .dst = 15, .src = 15, .offset = -1, .immediate = -1},
      {.opcode = 0xbf, .dst = 15, .src = 15, .offset = 0, .immediate = 0},
      {.opcode = kWideLoadOpcode, .dst = 1}};
  EXPECT_EQ(infer_stack_depth(insns), 0);
}

}  // namespace
}  // namespace plumb
