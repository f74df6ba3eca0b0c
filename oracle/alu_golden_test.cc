// SPDX-License-Identifier: GPL-2.0-or-later
//
// Literal expectations, written down from RFC 9669 section 4 by hand: what the text of the RFC says
// about one instruction and one pair of operands.
#include <fmt/core.h>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

struct Row {
  std::string_view insn;  // on r1 and r2
  std::uint64_t r1;
  std::uint64_t r2;
  std::uint64_t expected;  // r1 afterwards
};

constexpr std::uint64_t kMin64 = 0x8000000000000000;
constexpr std::uint64_t kMax64 = 0x7fffffffffffffff;
constexpr std::uint64_t kOnes = 0xffffffffffffffff;

constexpr Row kRows[] = {
    // Section 4.1: add, sub, mul wrap; 32 bits wide they zero the upper half.
    {"r1 += r2", 1, 2, 3},
    {"r1 += r2", kOnes, 1, 0},
    {"r1 += r2", kMax64, 1, kMin64},
    {"r1 += r2", 0xffffffff, 1, 0x100000000},
    {"r1 += -1", 0, 0, kOnes},
    {"r1 += 2147483647", 1, 0, 0x80000000},
    {"r1 += -2147483648", 0, 0, 0xffffffff80000000},
    {"w1 += w2", 0xffffffff, 1, 0},
    {"w1 += w2", 0xaaaaaaaa00000001, 0xbbbbbbbb00000002, 3},
    {"w1 += -1", 0, 0, 0xffffffff},
    {"w1 += 0", 0x123456789abcdef0, 0, 0x9abcdef0},
    {"r1 -= r2", 3, 5, 0xfffffffffffffffe},
    {"r1 -= r2", kMin64, 1, kMax64},
    {"r1 -= -1", 0, 0, 1},
    {"r1 -= -2147483648", 0, 0, 0x80000000},
    {"w1 -= w2", 3, 5, 0xfffffffe},
    {"w1 -= 1", 0x100000000, 0, 0xffffffff},
    {"r1 *= r2", 0xffffffff, 0xffffffff, 0xfffffffe00000001},
    {"r1 *= r2", 0x100000000, 0x100000000, 0},
    {"r1 *= -1", 5, 0, 0xfffffffffffffffb},
    {"r1 *= r2", kMin64, kOnes, kMin64},
    {"w1 *= w2", 0xffffffff, 0xffffffff, 1},
    {"w1 *= -1", 1, 0, 0xffffffff},
    {"w1 *= w2", 0x10000, 0x10000, 0},
    // Unsigned division rounds down; by zero it gives zero.
    {"r1 /= r2", 7, 2, 3},
    {"r1 /= r2", 7, 0, 0},
    {"r1 /= r2", kOnes, 2, kMax64},
    {"r1 /= r2", 1, kOnes, 0},
    {"r1 /= r2", kMin64, kOnes, 0},
    // 64 bits wide the immediate is sign-extended first and then taken as unsigned.
    {"r1 /= -1", kOnes, 0, 1},
    {"r1 /= -1", 0xffffffff, 0, 0},
    {"r1 /= -2", 0xfffffffffffffffd, 0, 0},
    {"r1 /= 10", 100, 0, 10},
    {"w1 /= w2", 7, 0xffffffff00000000, 0},
    {"w1 /= w2", 0xff00000007, 2, 3},
    {"w1 /= w2", 0xff00000007, 0, 0},
    // 32 bits wide it is taken as 32 unsigned bits.
    {"w1 /= -1", 0xffffffff, 0, 1},
    {"w1 /= -1", 0xfffffffe, 0, 0},
    {"w1 /= -2147483648", 0xffffffff, 0, 1},
    // Modulo: by zero the destination stays, its upper half zeroed in 32 bits.
    {"r1 %= r2", 7, 3, 1},
    {"r1 %= r2", 0xaaaaaaaa00000007, 0, 0xaaaaaaaa00000007},
    {"r1 %= r2", 5, kOnes, 5},
    {"r1 %= -1", kOnes, 0, 0},
    {"r1 %= -1", 0xffffffff, 0, 0xffffffff},
    {"r1 %= 10", 109, 0, 9},
    {"w1 %= w2", 0xaaaaaaaa00000007, 0, 7},
    {"w1 %= w2", 0xaaaaaaaa00000007, 0xbbbbbbbb00000000, 7},
    {"w1 %= w2", 0xff00000007, 3, 1},
    {"w1 %= -1", 0xffffffff, 0, 0},
    {"w1 %= -2", 0xffffffff, 0, 1},
    // Signed division truncates towards zero: -13 / 3 = -4, rest -1.
    {"r1 s/= r2", 0xfffffffffffffff3, 3, 0xfffffffffffffffc},
    {"r1 s%= r2", 0xfffffffffffffff3, 3, kOnes},
    {"r1 s/= r2", 13, 0xfffffffffffffffd, 0xfffffffffffffffc},
    {"r1 s%= r2", 13, 0xfffffffffffffffd, 1},
    {"r1 s/= r2", 0xfffffffffffffff3, 0xfffffffffffffffd, 4},
    {"r1 s%= r2", 0xfffffffffffffff3, 0xfffffffffffffffd, kOnes},
    {"r1 s/= r2", 13, 0, 0},
    {"r1 s%= r2", 0xfffffffffffffff3, 0, 0xfffffffffffffff3},
    {"r1 s/= r2", kMin64, kOnes, kMin64},
    {"r1 s%= r2", kMin64, kOnes, 0},
    {"r1 s/= -1", kMin64, 0, kMin64},
    {"r1 s%= -1", kMin64, 0, 0},
    {"r1 s/= -1", 5, 0, 0xfffffffffffffffb},
    {"r1 s/= 2", kOnes, 0, 0},
    {"r1 s/= -2147483648", kMin64, 0, 0x100000000},
    {"r1 s%= 10", 0xfffffffffffffff1, 0, 0xfffffffffffffffb},
    {"w1 s/= w2", 0xfffffff3, 3, 0xfffffffc},
    {"w1 s%= w2", 0xfffffff3, 3, 0xffffffff},
    {"w1 s/= w2", 0x80000000, 0xffffffff, 0x80000000},
    {"w1 s%= w2", 0x80000000, 0xffffffff, 0},
    {"w1 s/= -1", 0x80000000, 0, 0x80000000},
    {"w1 s%= -1", 0xffffffff80000000, 0, 0},
    {"w1 s/= w2", 0xff0000000d, 0, 0},
    {"w1 s%= w2", 0xff0000000d, 0, 0xd},
    {"w1 s/= -3", 13, 0, 0xfffffffc},
    {"w1 s/= w2", 0xff0000000d, 0xff00000003, 4},
    // Logic; immediates are sign-extended.
    {"r1 |= r2", 0xf0f0, 0x0f0f, 0xffff},
    {"r1 |= -2147483648", 1, 0, 0xffffffff80000001},
    {"w1 |= w2", 0xff000000f0, 0xff0000000f, 0xff},
    {"w1 |= -1", 0, 0, 0xffffffff},
    {"r1 &= r2", 0xff00ff00ff00ff00, 0x0ff00ff00ff00ff0, 0x0f000f000f000f00},
    {"r1 &= -16", kOnes, 0, 0xfffffffffffffff0},
    {"r1 &= 2147483647", kOnes, 0, 0x7fffffff},
    {"w1 &= w2", kOnes, kOnes, 0xffffffff},
    {"w1 &= -16", kOnes, 0, 0xfffffff0},
    {"r1 ^= r2", 0xff00, 0x0ff0, 0xf0f0},
    {"r1 ^= -1", 0, 0, kOnes},
    {"r1 ^= r1", kOnes, 0, 0},
    {"w1 ^= w2", 0xff000000ff, 0xf, 0xf0},
    {"w1 ^= -1", 0xff00000000, 0, 0xffffffff},
    // Shift counts are masked with 0x3f and 0x1f.
    {"r1 <<= r2", 1, 63, kMin64},
    {"r1 <<= r2", 1, 64, 1},
    {"r1 <<= r2", 1, 65, 2},
    {"r1 <<= r2", 1, kOnes, kMin64},
    {"r1 <<= 32", 0xffffffff, 0, 0xffffffff00000000},
    {"w1 <<= w2", 1, 31, 0x80000000},
    {"w1 <<= w2", 1, 32, 1},
    {"w1 <<= w2", 1, 33, 2},
    {"w1 <<= w2", 1, 0xffffffffffffffe0, 1},
    {"w1 <<= 4", 0xf0000000f, 0, 0xf0},
    {"r1 >>= r2", kMin64, 63, 1},
    {"r1 >>= r2", kMin64, 64, kMin64},
    {"r1 >>= 4", kOnes, 0, 0x0fffffffffffffff},
    {"w1 >>= w2", 0xff80000000, 31, 1},
    {"w1 >>= w2", 0xff80000000, 32, 0x80000000},
    {"w1 >>= 4", kOnes, 0, 0x0fffffff},
    {"r1 s>>= r2", kMin64, 63, kOnes},
    {"r1 s>>= r2", kMin64, 64, kMin64},
    {"r1 s>>= 4", kMax64, 0, 0x07ffffffffffffff},
    {"w1 s>>= w2", 0x80000000, 31, 0xffffffff},
    {"w1 s>>= w2", 0xffffffff7fffffff, 30, 1},
    {"w1 s>>= 32", 0x80000000, 0, 0x80000000},
    {"w1 s>>= 4", 0x80000000, 0, 0xf8000000},
    // Moves; 32 bits wide they zero the upper half.
    {"r1 = r2", 0, kMin64, kMin64},
    {"r1 = -1", 0, 0, kOnes},
    {"r1 = -2147483648", 0, 0, 0xffffffff80000000},
    {"w1 = w2", kOnes, 0xffffffff80000000, 0x80000000},
    {"w1 = -1", 0, 0, 0xffffffff},
    {"w1 = w1", kOnes, 0, 0xffffffff},
    // Sign-extending moves fill the width of the operation; what is above is zero.
    {"r1 = (s8)r2", 0, 0x80, 0xffffffffffffff80},
    {"r1 = (s8)r2", kOnes, 0x17f, 0x7f},
    {"r1 = (s16)r2", 0, 0x8000, 0xffffffffffff8000},
    {"r1 = (s16)r2", kOnes, 0x17fff, 0x7fff},
    {"r1 = (s32)r2", 0, 0x80000000, 0xffffffff80000000},
    {"r1 = (s32)r2", kOnes, 0x17fffffff, 0x7fffffff},
    {"w1 = (s8)w2", kOnes, 0x80, 0xffffff80},
    {"w1 = (s8)w2", kOnes, 0xff7f, 0x7f},
    {"w1 = (s16)w2", kOnes, 0x8000, 0xffff8000},
    {"w1 = (s16)w2", kOnes, 0xffff7fff, 0x7fff},
    // Negation.
    {"r1 = -r1", 1, 0, kOnes},
    {"r1 = -r1", 0, 0, 0},
    {"r1 = -r1", kMin64, 0, kMin64},
    {"w1 = -w1", 1, 0, 0xffffffff},
    {"w1 = -w1", 0xff00000000, 0, 0},
    {"w1 = -w1", 0xff80000000, 0, 0x80000000},
    // Section 4.2: on a little-endian machine, le only truncates.
    {"r1 = le16 r1", 0x0123456789abcdef, 0, 0xcdef},
    {"r1 = le32 r1", 0x0123456789abcdef, 0, 0x89abcdef},
    {"r1 = le64 r1", 0x0123456789abcdef, 0, 0x0123456789abcdef},
    {"r1 = be16 r1", 0x0123456789abcdef, 0, 0xefcd},
    {"r1 = be32 r1", 0x0123456789abcdef, 0, 0xefcdab89},
    {"r1 = be64 r1", 0x0123456789abcdef, 0, 0xefcdab8967452301},
    {"r1 = bswap16 r1", 0xffffffffffff0180, 0, 0x8001},
    {"r1 = bswap32 r1", 0xffffffff01020380, 0, 0x80030201},
    {"r1 = bswap64 r1", 0x0102030405060780, 0, 0x8007060504030201},
};
static_assert(std::size(kRows) >= 120);

TEST(AluGolden, EveryRowGivesWhatTheRfcSays) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(fmt::format("{} with r1 = {:#x}, r2 = {:#x}", row.insn, row.r1, row.r2));
    const std::string text =
        fmt::format(".program p\n.function main\nr1 = {:#x} ll\nr2 = {:#x} ll\n{}\nr0 = r1\nexit\n",
                    row.r1, row.r2, row.insn);
    expect_returns(run_text(text), row.expected);
  }
}

}  // namespace
}  // namespace plumb::oracle
