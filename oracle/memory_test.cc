// SPDX-License-Identifier: GPL-2.0-or-later
//
// Loads, stores and atomics: sizes, extension, byte order, pointers in memory.
#include <fmt/core.h>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

struct Row {
  std::string_view name;
  std::string_view body;
  std::uint64_t expected;
};

// In every body r1 is the context and "big" holds 32 zero bytes (testing_oracle.h, in_main()).
constexpr Row kRows[] = {
    {"Store8ThenLoad8", "*(u8 *)(r1 + 3) = 171\nr0 = *(u8 *)(r1 + 3)\nexit", 0xab},
    {"Store16ThenLoad16", "*(u16 *)(r1 + 2) = -2\nr0 = *(u16 *)(r1 + 2)\nexit", 0xfffe},
    {"Store32ThenLoad32", "*(u32 *)(r1 + 4) = -2\nr0 = *(u32 *)(r1 + 4)\nexit", 0xfffffffe},
    {"Store64ThenLoad64", "*(u64 *)(r1 + 8) = -2\nr0 = *(u64 *)(r1 + 8)\nexit", 0xfffffffffffffffe},
    {"StoreTruncates",
     "r2 = 0x0123456789abcdef ll\n*(u64 *)(r1 + 0) = 0\n*(u8 *)(r1 + 0) = r2\n"
     "*(u16 *)(r1 + 2) = r2\nr0 = *(u64 *)(r1 + 0)\nexit",
     0xcdef00ef},
    {"Store32Truncates",
     "r2 = 0x0123456789abcdef ll\n*(u32 *)(r1 + 4) = r2\nr0 = *(u64 *)(r1 + 0)\nexit",
     0x89abcdef00000000},
    {"LittleEndian",
     "r2 = 0x0123456789abcdef ll\n*(u64 *)(r1 + 0) = r2\nr0 = *(u8 *)(r1 + 0)\n"
     "r3 = *(u8 *)(r1 + 7)\nr0 <<= 8\nr0 |= r3\nexit",
     0xef01},
    {"LoadsZeroExtend", "*(u64 *)(r1 + 0) = -1\nr0 = *(u16 *)(r1 + 0)\nexit", 0xffff},
    {"LoadSigned8", "*(u8 *)(r1 + 0) = 128\nr0 = *(s8 *)(r1 + 0)\nexit", 0xffffffffffffff80},
    {"LoadSigned8Positive", "*(u8 *)(r1 + 0) = 127\nr0 = *(s8 *)(r1 + 0)\nexit", 0x7f},
    {"LoadSigned16", "*(u16 *)(r1 + 0) = 32768\nr0 = *(s16 *)(r1 + 0)\nexit", 0xffffffffffff8000},
    {"LoadSigned32", "*(u32 *)(r1 + 0) = -2147483648\nr0 = *(s32 *)(r1 + 0)\nexit",
     0xffffffff80000000},
    {"LoadSigned32Positive", "*(u32 *)(r1 + 0) = 2147483647\nr0 = *(s32 *)(r1 + 0)\nexit",
     0x7fffffff},
    {"Unaligned", "*(u64 *)(r10 - 13) = -3\nr0 = *(u32 *)(r10 - 11)\nexit", 0xffffffff},
    {"BaseIsDestination", "*(u64 *)(r1 + 0) = 5\nr1 = *(u64 *)(r1 + 0)\nr0 = r1\nexit", 5},
    {"RegionWithOffset",
     "r2 = big + 24 ll\n*(u64 *)(r2 + 0) = 9\nr3 = big ll\nr0 = *(u64 *)(r3 + 24)\nexit", 9},
    {"PointerOutAndBackIn",
     "r2 = big ll\nr2 += 1000\nr2 -= 992\n*(u8 *)(r2 + 0) = 1\nr2 = big ll\n"
     "r0 = *(u64 *)(r2 + 8)\nexit",
     1},
    {"ScalarPlusPointer", "*(u8 *)(r1 + 5) = 6\nr2 = 5\nr2 += r1\nr0 = *(u8 *)(r2 + 0)\nexit", 6},
    {"WholeFrame", ".stack 512\n*(u8 *)(r10 - 512) = 4\nr0 = *(u8 *)(r10 - 512)\nexit", 4},
    {"SpillAndFill",
     "*(u8 *)(r1 + 9) = 3\n*(u64 *)(r10 - 8) = r1\nr2 = *(u64 *)(r10 - 8)\n"
     "r0 = *(u8 *)(r2 + 9)\nexit",
     3},
    {"SpillKeepsTheOffset",
     "r2 = big ll\nr2 += -7\n*(u64 *)(r10 - 8) = r2\nr3 = *(u64 *)(r10 - 8)\n"
     "*(u8 *)(r3 + 8) = 7\nr2 = big ll\nr0 = *(u8 *)(r2 + 1)\nexit",
     7},
    {"OverwrittenSpillIsAScalar",
     "*(u64 *)(r10 - 8) = r1\n*(u64 *)(r10 - 8) = 4\nr0 = *(u64 *)(r10 - 8)\nexit", 4},
    {"WrittenPartOfASpillIsReadable",
     "*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 5) = 4\nr0 = *(u8 *)(r10 - 5)\nexit", 4},
    // Atomics.
    {"AtomicAdd64",
     "*(u64 *)(r1 + 0) = -1\nr2 = 2\nlock *(u64 *)(r1 + 0) += r2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     1},
    {"AtomicAdd32StaysIn32Bits",
     "*(u64 *)(r1 + 0) = -1\nr2 = 2\nlock *(u32 *)(r1 + 0) += w2\nr0 = *(u64 *)(r1 + 0)\nexit",
     0xffffffff00000001},
    {"AtomicOr",
     "*(u64 *)(r1 + 0) = 5\nr2 = 10\nlock *(u64 *)(r1 + 0) |= r2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     15},
    {"AtomicAnd",
     "*(u64 *)(r1 + 0) = 6\nr2 = 12\nlock *(u64 *)(r1 + 0) &= r2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     4},
    {"AtomicXor",
     "*(u64 *)(r1 + 0) = 6\nr2 = 12\nlock *(u64 *)(r1 + 0) ^= r2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     10},
    {"AtomicOr32",
     "*(u64 *)(r1 + 0) = 5\nr2 = -16\nlock *(u32 *)(r1 + 0) |= w2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     0xfffffff5},
    {"AtomicAnd32",
     "*(u64 *)(r1 + 0) = -1\nr2 = 12\nlock *(u32 *)(r1 + 0) &= w2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     0xffffffff0000000c},
    {"AtomicXor32",
     "*(u64 *)(r1 + 0) = -1\nr2 = -1\nlock *(u32 *)(r1 + 4) ^= w2\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     0xffffffff},
    {"AtomicLeavesTheSource",
     "*(u64 *)(r1 + 0) = 5\nr2 = 3\nlock *(u64 *)(r1 + 0) += r2\n"
     "r0 = r2\nexit",
     3},
    {"FetchAddGivesTheOldValue",
     "*(u64 *)(r1 + 0) = 5\nr2 = 3\nr2 = atomic_fetch_add((u64 *)(r1 + 0), r2)\n"
     "r0 = *(u64 *)(r1 + 0)\nr0 <<= 8\nr0 |= r2\nexit",
     0x805},
    {"FetchAdd32ZeroExtends",
     "*(u64 *)(r1 + 0) = -1\nr2 = -1\nw2 = atomic_fetch_add((u32 *)(r1 + 0), w2)\nr0 = r2\nexit",
     0xffffffff},
    {"FetchOr",
     "*(u64 *)(r1 + 0) = 5\nr2 = 10\nr2 = atomic_fetch_or((u64 *)(r1 + 0), r2)\n"
     "r0 = *(u64 *)(r1 + 0)\nr0 <<= 8\nr0 |= r2\nexit",
     0xf05},
    {"FetchAnd",
     "*(u64 *)(r1 + 0) = 6\nr2 = 12\nr2 = atomic_fetch_and((u64 *)(r1 + 0), r2)\n"
     "r0 = *(u64 *)(r1 + 0)\nr0 <<= 8\nr0 |= r2\nexit",
     0x406},
    {"FetchXor",
     "*(u64 *)(r1 + 0) = 6\nr2 = 12\nr2 = atomic_fetch_xor((u64 *)(r1 + 0), r2)\n"
     "r0 = *(u64 *)(r1 + 0)\nr0 <<= 8\nr0 |= r2\nexit",
     0xa06},
    {"FetchOr32",
     "*(u32 *)(r1 + 0) = -1\nr2 = -1\nw2 = atomic_fetch_or((u32 *)(r1 + 0), w2)\n"
     "r0 = r2\nexit",
     0xffffffff},
    {"FetchAnd32",
     "*(u32 *)(r1 + 0) = -2\nr2 = -1\nw2 = atomic_fetch_and((u32 *)(r1 + 0), w2)\n"
     "r0 = r2\nexit",
     0xfffffffe},
    {"FetchXor32",
     "*(u32 *)(r1 + 0) = -1\nr2 = -1\nw2 = atomic_fetch_xor((u32 *)(r1 + 0), w2)\n"
     "r0 = *(u32 *)(r1 + 0)\nr0 <<= 32\nr0 += r2\nexit",
     0xffffffff},
    {"Xchg64",
     "*(u64 *)(r1 + 0) = 6\nr2 = 12\nr2 = xchg_64(r1 + 0, r2)\n"
     "r0 = *(u64 *)(r1 + 0)\nr0 <<= 8\nr0 |= r2\nexit",
     0xc06},
    {"Xchg32",
     "*(u64 *)(r1 + 0) = -2\nr2 = 12\nw2 = xchg32_32(r1 + 0, w2)\n"
     "r3 = *(u64 *)(r1 + 0)\nr0 = r2\nr0 ^= r3\nexit",
     0xfffffffffffffff2},
    {"Cmpxchg64Hit",
     "*(u64 *)(r1 + 0) = 6\nr0 = 6\nr2 = 12\nr0 = cmpxchg_64(r1 + 0, r0, r2)\n"
     "r3 = *(u64 *)(r1 + 0)\nr3 <<= 8\nr0 |= r3\nexit",
     0xc06},
    {"Cmpxchg64Miss",
     "*(u64 *)(r1 + 0) = 6\nr0 = 7\nr2 = 12\nr0 = cmpxchg_64(r1 + 0, r0, r2)\n"
     "r3 = *(u64 *)(r1 + 0)\nr3 <<= 8\nr0 |= r3\nexit",
     0x606},
    {"Cmpxchg32HitIgnoresTheUpperHalfOfR0",
     "*(u64 *)(r1 + 0) = 6\nr0 = 0xff00000006 ll\nr2 = 12\nw0 = cmpxchg32_32(r1 + 0, w0, w2)\n"
     "r3 = *(u64 *)(r1 + 0)\nr3 <<= 8\nr0 |= r3\nexit",
     0xc06},
    {"Cmpxchg32HitZeroesTheUpperHalfOfR0",
     "*(u32 *)(r1 + 0) = -1\nr0 = -1\nr2 = 12\nw0 = cmpxchg32_32(r1 + 0, w0, w2)\nexit",
     0xffffffff},
    {"Cmpxchg32MissZeroesTheUpperHalfOfR0",
     "*(u64 *)(r1 + 0) = -1\nr0 = -2\nr2 = 12\nw0 = cmpxchg32_32(r1 + 0, w0, w2)\nexit",
     0xffffffff},
    {"Cmpxchg64MissOnTheUpperHalf",
     "*(u64 *)(r1 + 0) = 6\nr0 = 0xff00000006 ll\nr2 = 12\nr0 = cmpxchg_64(r1 + 0, r0, r2)\n"
     "r0 = *(u64 *)(r1 + 0)\nexit",
     6},
    {"AtomicOnTheStack",
     "*(u64 *)(r10 - 16) = 6\nr2 = 12\nlock *(u32 *)(r10 - 12) += w2\n"
     "r0 = *(u64 *)(r10 - 16)\nexit",
     0xc00000006},
};

TEST(MemoryAccess, GoldenRows) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    expect_returns(run_text(in_main(row.body)), row.expected);
  }
}

TEST(MemoryAccess, TheFinalMemoryIsThere) {
  const Execution e =
      run_text(in_main("*(u16 *)(r1 + 62) = 513\nr2 = small ll\n"
                       "*(u32 *)(r2 + 12) = 67305985\nr0 = 0\nexit"));
  ASSERT_TRUE(e.defined) << e.undefined_reason;
  ASSERT_EQ(e.context.bytes.size(), 64u);
  EXPECT_EQ(e.context.bytes[62], 1);
  EXPECT_EQ(e.context.bytes[63], 2);
  ASSERT_EQ(e.regions.size(), 2u);
  EXPECT_EQ(e.regions[0].bytes, std::vector<std::uint8_t>(32));
  EXPECT_EQ(e.regions[1].bytes,
            (std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}));
  EXPECT_TRUE(e.context.pointers.empty());
}

TEST(MemoryAccess, StoredPointersAreListedAndTheirBytesAreZero) {
  const Execution e = run_text(in_main(R"(
        r2 = big ll
        *(u64 *)(r2 + 0) = -1
        *(u64 *)(r2 + 24) = r1
        r3 = r10
        r3 += -8
        *(u64 *)(r2 + 8) = r3
        r3 = small + 3 ll
        *(u64 *)(r1 + 16) = r3
        *(u64 *)(r1 + 24) = r3
        *(u64 *)(r1 + 24) = 5
        r0 = 0
        exit)"));
  ASSERT_TRUE(e.defined) << e.undefined_reason;
  EXPECT_EQ(e.regions[0].pointers,
            (std::vector<StoredPointer>{{8, Value::pointer(Space::kStack, 0, -8)},
                                        {24, Value::pointer(Space::kContext, 0, 0)}}));
  EXPECT_EQ(e.context.pointers,
            (std::vector<StoredPointer>{{16, Value::pointer(Space::kRegion, 1, 3)}}));
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(e.regions[0].bytes[i], i < 8 ? 0xff : 0) << i;
  for (std::size_t i = 16; i < 24; ++i) EXPECT_EQ(e.context.bytes[i], 0);
  EXPECT_EQ(e.context.bytes[24], 5);
}

TEST(MemoryAccess, EverySlotOfEveryFrameIsItsOwn) {
  expect_returns(run_text(R"(
.program p
.function main
        *(u64 *)(r10 - 8) = 1
        *(u64 *)(r10 - 16) = 2
        r1 = r10
        r1 += -16
        call sub
        r1 = *(u64 *)(r10 - 8)
        r2 = *(u64 *)(r10 - 16)
        r0 <<= 16
        r1 <<= 8
        r0 |= r1
        r0 |= r2
        exit
.function sub
        *(u64 *)(r10 - 8) = 3
        *(u64 *)(r10 - 16) = 4
        r2 = *(u64 *)(r1 + 0)
        r2 += 10
        *(u64 *)(r1 + 0) = r2
        r0 = *(u64 *)(r10 - 16)
        exit
)"),
                 0x4010c);
}

TEST(MemoryAccess, AFrameStartsUninitialisedEachTime) {
  const Execution e = run_text(R"(
.program p
.function main
        r1 = 0
        call sub
        r1 = 1
        call sub
        exit
.function sub
        if r1 != 0 goto second
        *(u64 *)(r10 - 8) = 3
second:
        r0 = *(u64 *)(r10 - 8)
        exit
)");
  EXPECT_FALSE(e.defined);
  EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kUninitialisedStack));
  EXPECT_EQ(e.undefined_at, (Place{0, 1, 2}));
}

}  // namespace
}  // namespace plumb::oracle
