// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every rule that makes a run undefined: a body that breaks it, and beside it the nearest body that
// does not. Structural rules have their own test (validate_test.cc).
#include <set>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

struct Row {
  Reason reason;
  std::string_view broken;
  std::string_view sound;
};

// Bodies of the main function of in_main(); a body may go on with further functions.
constexpr Row kRows[] = {
    // ---- uninitialised ----
    {Reason::kUninitialisedRegister, "r0 = r2\nexit", "r2 = 0\nr0 = r2\nexit"},
    {Reason::kUninitialisedRegister, "w0 = w2\nexit", "w2 = 0\nw0 = w2\nexit"},
    {Reason::kUninitialisedRegister, "exit", "r0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "r0 += 1\nexit", "r0 = 0\nr0 += 1\nexit"},
    {Reason::kUninitialisedRegister, "r0 = 1\nr0 += r2\nexit", "r0 = 1\nr2 = 1\nr0 += r2\nexit"},
    {Reason::kUninitialisedRegister, "r2 ^= r2\nr0 = 0\nexit", "r2 = 1\nr2 ^= r2\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "r0 = 1\nr1 += r2\nexit", "r0 = 1\nr2 = 1\nr1 += r2\nexit"},
    {Reason::kUninitialisedRegister, "r0 = -r0\nexit", "r0 = 1\nr0 = -r0\nexit"},
    {Reason::kUninitialisedRegister, "r0 = (s8)r2\nexit", "r2 = 1\nr0 = (s8)r2\nexit"},
    {Reason::kUninitialisedRegister, "r0 = be16 r0\nexit", "r0 = 1\nr0 = be16 r0\nexit"},
    {Reason::kUninitialisedRegister, "if r2 == 0 goto +0\nr0 = 0\nexit",
     "r2 = 0\nif r2 == 0 goto +0\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "if r1 == r2 goto +0\nr0 = 0\nexit",
     "r2 = r1\nif r1 == r2 goto +0\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "r0 = *(u8 *)(r2 + 0)\nexit",
     "r2 = r1\nr0 = *(u8 *)(r2 + 0)\nexit"},
    {Reason::kUninitialisedRegister, "*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit",
     "r2 = r1\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "*(u8 *)(r1 + 0) = r2\nr0 = 0\nexit",
     "r2 = 1\n*(u8 *)(r1 + 0) = r2\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "lock *(u64 *)(r1 + 0) += r2\nr0 = 0\nexit",
     "r2 = 1\nlock *(u64 *)(r1 + 0) += r2\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "r2 = 1\nr0 = cmpxchg_64(r1 + 0, r0, r2)\nexit",
     "r0 = 1\nr2 = 1\nr0 = cmpxchg_64(r1 + 0, r0, r2)\nexit"},
    // After a call R1 ... R5 are gone; R6 ... R9 and R0 are not.
    {Reason::kUninitialisedRegister, "call 7\nr0 = r1\nexit", "r6 = 1\ncall 7\nr0 += r6\nexit"},
    {Reason::kUninitialisedRegister, "r5 = 1\ncall 7\nr0 = r5\nexit",
     "r9 = 1\ncall 7\nr0 = r9\nexit"},
    {Reason::kUninitialisedRegister, "call f\nr0 = r1\nexit\n.function f\nexit",
     "r6 = 1\ncall f\nr0 = r6\nexit\n.function f\nr6 = 2\nexit"},
    {Reason::kUninitialisedRegister, "call f\nexit\n.function f\nexit",
     "call f\nexit\n.function f\nr0 = 1\nexit"},
    // In the callee: R1 ... R5 as the caller left them, all else unset.
    {Reason::kUninitialisedRegister, "call f\nexit\n.function f\nr0 = r2\nexit",
     "r2 = 1\ncall f\nexit\n.function f\nr0 = r2\nexit"},
    {Reason::kUninitialisedRegister, "r6 = 1\ncall f\nexit\n.function f\nr0 = r6\nexit",
     "r5 = 1\ncall f\nexit\n.function f\nr0 = r5\nexit"},
    {Reason::kUninitialisedRegister, "r0 = 1\ncall f\nexit\n.function f\nexit",
     "r0 = 1\ncall f\nexit\n.function f\nr0 = 2\nexit"},
    {Reason::kUninitialisedStack, "r0 = *(u64 *)(r10 - 8)\nexit",
     "*(u64 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\nexit"},
    {Reason::kUninitialisedStack, "*(u32 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\nexit",
     "*(u32 *)(r10 - 8) = 1\nr0 = *(u32 *)(r10 - 8)\nexit"},
    {Reason::kUninitialisedStack, "*(u64 *)(r10 - 8) = 1\nr0 = *(u8 *)(r10 - 9)\nexit",
     "*(u64 *)(r10 - 8) = 1\nr0 = *(u8 *)(r10 - 8)\nexit"},
    {Reason::kUninitialisedStack,
     "*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 8) = 1\nr0 = *(u8 *)(r10 - 7)\nexit",
     "*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 8) = 1\nr0 = *(u8 *)(r10 - 8)\nexit"},
    {Reason::kUninitialisedStack, "r2 = 1\nlock *(u64 *)(r10 - 8) += r2\nr0 = 0\nexit",
     "r2 = 1\n*(u64 *)(r10 - 8) = r2\nlock *(u64 *)(r10 - 8) += r2\nr0 = 0\nexit"},

    // ---- arithmetic on pointers ----
    {Reason::kPointerArithmetic, "r1 *= 1\nr0 = 0\nexit", "r1 += 1\nr0 = 0\nexit"},
    {Reason::kPointerArithmetic, "r1 &= -8\nr0 = 0\nexit", "r1 -= 8\nr0 = 0\nexit"},
    {Reason::kPointerArithmetic, "r1 <<= 0\nr0 = 0\nexit", "r1 += 0\nr0 = 0\nexit"},
    {Reason::kPointerArithmetic, "r1 ^= r1\nr0 = 0\nexit", "r1 -= r1\nr0 = r1\nexit"},
    {Reason::kPointerArithmetic, "r1 += r1\nr0 = 0\nexit", "r2 = 1\nr2 += r1\nr0 = 0\nexit"},
    {Reason::kPointerArithmetic, "r2 = 1\nr2 -= r1\nr0 = 0\nexit",
     "r2 = 1\nr1 -= r2\nr0 = 0\nexit"},
    {Reason::kPointerArithmetic, "r2 = 1\nr2 |= r1\nr0 = 0\nexit", "r2 = 1\nr2 |= 1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "r1 = -r1\nr0 = 0\nexit", "r2 = 1\nr2 = -r2\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "r2 = (s32)r1\nr0 = 0\nexit", "r2 = r1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "r1 = bswap64 r1\nr0 = 0\nexit",
     "r2 = 0\nr2 = bswap64 r2\nr0 = 0\nexit"},
    {Reason::kPointerIn32Bits, "w1 += 1\nr0 = 0\nexit", "r1 += 1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "w2 = w1\nr0 = 0\nexit", "r2 = r1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "w1 = -w1\nr0 = 0\nexit", "w2 = 1\nw2 = -w2\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "w1 -= w1\nr0 = 0\nexit", "r1 -= r1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "w2 = (s8)w1\nr0 = 0\nexit", "w2 = 1\nw2 = (s8)w2\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "if w1 == 0 goto +0\nr0 = 0\nexit",
     "if r1 == 0 goto +0\nr0 = 0\nexit"},
    {Reason::kPointerOffsetTooLarge, "r2 = 536870912\nr1 += r2\nr0 = 0\nexit",
     "r2 = 536870911\nr1 += r2\nr0 = 0\nexit"},
    {Reason::kPointerOffsetTooLarge, "r1 -= 536870912\nr0 = 0\nexit",
     "r1 -= 536870911\nr1 += 536870911\nr0 = *(u8 *)(r1 + 0)\nexit"},
    {Reason::kPointerOffsetTooLarge, "r2 = 0x8000000000000000 ll\nr1 += r2\nr0 = 0\nexit",
     "r2 = 0xffffffffffffffff ll\nr1 += r2\nr0 = *(u8 *)(r1 + 1)\nexit"},
    {Reason::kOpaquePointer, "r2 = jmp ll\nr2 += 0\nr0 = 0\nexit", "r2 = jmp ll\nr0 = 0\nexit"},
    {Reason::kOpaquePointer, "r2 = jmp ll\nr0 = *(u8 *)(r2 + 0)\nexit",
     "r2 = big ll\nr0 = *(u8 *)(r2 + 0)\nexit"},
    {Reason::kOpaquePointer, "r2 = jmp ll\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit",
     "r2 = big ll\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit"},
    {Reason::kOpaquePointer, "r2 = jmp ll\nif r2 == 0 goto +0\nr0 = 0\nexit",
     "r2 = big ll\nif r2 == 0 goto +0\nr0 = 0\nexit"},
    {Reason::kOpaquePointer, "r2 = f ll\nif r2 == r2 goto +0\nr0 = 0\nexit\n.function f\nexit",
     "r2 = f ll\nr3 = r2\nr0 = 0\nexit\n.function f\nexit"},

    // ---- comparisons ----
    {Reason::kPointerComparison, "if r1 == 1 goto +0\nr0 = 0\nexit",
     "if r1 == 0 goto +0\nr0 = 0\nexit"},
    {Reason::kPointerComparison, "if r1 > 0 goto +0\nr0 = 0\nexit",
     "if r1 != 0 goto +0\nr0 = 0\nexit"},
    {Reason::kPointerComparison, "r2 = 5\nif r2 == r1 goto +0\nr0 = 0\nexit",
     "r2 = 0\nif r2 == r1 goto +0\nr0 = 0\nexit"},
    {Reason::kPointerComparison, "r2 = r1\nif r1 s> r2 goto +0\nr0 = 0\nexit",
     "r2 = r1\nif r1 > r2 goto +0\nr0 = 0\nexit"},
    {Reason::kPointerComparison, "r2 = r1\nif r1 & r2 goto +0\nr0 = 0\nexit",
     "r2 = r1\nif r1 <= r2 goto +0\nr0 = 0\nexit"},
    {Reason::kUnrelatedPointers, "r2 = big ll\nif r1 == r2 goto +0\nr0 = 0\nexit",
     "r2 = big ll\nr3 = big + 3 ll\nif r3 == r2 goto +0\nr0 = 0\nexit"},
    {Reason::kUnrelatedPointers, "r2 = big ll\nr3 = small ll\nr2 -= r3\nr0 = 0\nexit",
     "r2 = big ll\nr3 = big ll\nr2 -= r3\nr0 = 0\nexit"},
    {Reason::kUnrelatedPointers,
     "r1 = r10\ncall f\nexit\n.function f\nr0 = 0\nif r1 > r10 goto +0\nexit",
     "r1 = r10\ncall f\nexit\n.function f\nr0 = 0\nr2 = r1\nif r1 > r2 goto +0\nexit"},

    // ---- bounds ----
    {Reason::kAccessThroughScalar, "r2 = 4096\nr0 = *(u8 *)(r2 + 0)\nexit",
     "r2 = r1\nr0 = *(u8 *)(r2 + 0)\nexit"},
    {Reason::kOutsideContext, "r0 = *(u8 *)(r1 + 64)\nexit", "r0 = *(u8 *)(r1 + 63)\nexit"},
    {Reason::kOutsideContext, "r0 = *(u64 *)(r1 + 57)\nexit", "r0 = *(u64 *)(r1 + 56)\nexit"},
    {Reason::kOutsideContext, "r0 = *(u8 *)(r1 - 1)\nexit", "r0 = *(u8 *)(r1 + 0)\nexit"},
    {Reason::kOutsideContext, "*(u16 *)(r1 + 63) = 0\nr0 = 0\nexit",
     "*(u16 *)(r1 + 62) = 0\nr0 = 0\nexit"},
    {Reason::kOutsideContext, "r1 += 60\nr0 = *(u64 *)(r1 + 0)\nexit",
     "r1 += 60\nr0 = *(u64 *)(r1 - 4)\nexit"},
    {Reason::kOutsideRegion, "r2 = small ll\nr0 = *(u32 *)(r2 + 13)\nexit",
     "r2 = small ll\nr0 = *(u32 *)(r2 + 12)\nexit"},
    {Reason::kOutsideRegion, "r2 = big ll\nr0 = *(u8 *)(r2 + 32)\nexit",
     "r2 = big ll\nr0 = *(u8 *)(r2 + 31)\nexit"},
    {Reason::kOutsideRegion, "r2 = small ll\nr0 = *(u8 *)(r2 - 1)\nexit",
     "r2 = small + 1 ll\nr0 = *(u8 *)(r2 - 1)\nexit"},
    {Reason::kOutsideFrame, "*(u8 *)(r10 + 0) = 1\nr0 = 0\nexit",
     "*(u8 *)(r10 - 1) = 1\nr0 = 0\nexit"},
    {Reason::kOutsideFrame, ".stack 16\n*(u8 *)(r10 - 17) = 1\nr0 = 0\nexit",
     ".stack 16\n*(u8 *)(r10 - 16) = 1\nr0 = 0\nexit"},
    {Reason::kOutsideFrame, ".stack 16\n*(u64 *)(r10 - 4) = 1\nr0 = 0\nexit",
     ".stack 16\n*(u32 *)(r10 - 4) = 1\nr0 = 0\nexit"},
    {Reason::kOutsideFrame, ".stack 1\n*(u16 *)(r10 - 2) = 1\nr0 = 0\nexit",
     ".stack 1\n*(u8 *)(r10 - 1) = 1\nr0 = 0\nexit"},

    // ---- pointers in memory ----
    {Reason::kPartOfPointerRead, "*(u64 *)(r10 - 8) = r1\nr0 = *(u32 *)(r10 - 8)\nexit",
     "*(u64 *)(r10 - 8) = r1\nr2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit"},
    {Reason::kPartOfPointerRead,
     "*(u64 *)(r10 - 8) = r1\n*(u64 *)(r10 - 16) = r1\nr0 = *(u64 *)(r10 - 12)\nexit",
     "*(u64 *)(r10 - 8) = 1\n*(u64 *)(r10 - 16) = 1\nr0 = *(u64 *)(r10 - 12)\nexit"},
    {Reason::kPartOfPointerRead, "*(u64 *)(r10 - 8) = r1\nr0 = *(s8 *)(r10 - 8)\nexit",
     "*(u64 *)(r10 - 8) = 1\nr0 = *(s8 *)(r10 - 8)\nexit"},
    {Reason::kPartOfPointerStored, "*(u32 *)(r10 - 8) = r1\nr0 = 0\nexit",
     "*(u64 *)(r10 - 8) = r1\nr0 = 0\nexit"},
    {Reason::kStackPointerUnaligned, "*(u64 *)(r10 - 12) = r1\nr0 = 0\nexit",
     "*(u64 *)(r10 - 16) = r1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "*(u32 *)(r1 + 8) = r1\nr0 = 0\nexit",
     "*(u64 *)(r1 + 8) = r1\nr0 = 0\nexit"},
    {Reason::kAddressAsNumber, "*(u64 *)(r1 + 8) = r1\nr0 = *(u32 *)(r1 + 8)\nexit",
     "*(u64 *)(r1 + 8) = r1\nr0 = *(u32 *)(r1 + 0)\nexit"},
    {Reason::kPointerStoredUnaligned, "*(u64 *)(r1 + 4) = r1\nr0 = 0\nexit",
     "*(u64 *)(r1 + 8) = r1\nr0 = 0\nexit"},
    {Reason::kPointerTorn, "*(u64 *)(r1 + 8) = r1\n*(u8 *)(r1 + 9) = 1\nr0 = 0\nexit",
     "*(u64 *)(r1 + 8) = r1\n*(u64 *)(r1 + 8) = 1\nr0 = 0\nexit"},
    {Reason::kPointerTorn, "r2 = big ll\n*(u64 *)(r2 + 8) = r1\n*(u64 *)(r2 + 4) = 1\nr0 = 0\nexit",
     "r2 = big ll\n*(u64 *)(r2 + 8) = r1\n*(u64 *)(r2 + 0) = 1\nr0 = 0\nexit"},
    {Reason::kStackPointerInOtherFrame,
     ".stack 8\nr1 = r10\ncall f\nexit\n.function f\n*(u64 *)(r1 - 8) = r10\nr0 = 0\nexit",
     ".stack 8\nr1 = r10\ncall f\nexit\n.function f\n*(u64 *)(r10 - 8) = r1\nr0 = 0\nexit"},
    {Reason::kStackPointerInOtherFrame,
     ".stack 8\nr1 = r10\ncall f\nexit\n.function f\n*(u64 *)(r1 - 8) = r1\nr0 = 0\nexit",
     ".stack 8\nr1 = r10\ncall f\nexit\n.function f\nr2 = big ll\n*(u64 *)(r1 - 8) = r2\nr0 = 0\n"
     "exit"},
    {Reason::kOpaquePointerStored, "r2 = jmp ll\n*(u64 *)(r1 + 0) = r2\nr0 = 0\nexit",
     "r2 = jmp ll\n*(u64 *)(r10 - 8) = r2\nr0 = 0\nexit"},
    {Reason::kOpaquePointerStored,
     "r2 = f ll\nr3 = big ll\n*(u64 *)(r3 + 0) = r2\nr0 = 0\nexit\n.function f\nexit",
     "r2 = f ll\n*(u64 *)(r10 - 8) = r2\nr0 = 0\nexit\n.function f\nexit"},
    {Reason::kDeadFrame,
     "r6 = big ll\nr1 = r6\ncall f\nr1 = *(u64 *)(r6 + 0)\nr0 = *(u64 *)(r1 - 8)\nexit\n"
     ".function f\n*(u64 *)(r10 - 8) = 1\n*(u64 *)(r1 + 0) = r10\nr0 = 0\nexit",
     "r6 = big ll\nr1 = r6\ncall f\nr1 = *(u64 *)(r6 + 0)\nr0 = 0\nexit\n"
     ".function f\n*(u64 *)(r10 - 8) = 1\n*(u64 *)(r1 + 0) = r10\nr0 = *(u64 *)(r10 - 8)\nexit"},
    {Reason::kAddressAsNumber,
     "r6 = big ll\nr1 = r6\ncall f\nr1 = *(u64 *)(r6 + 0)\nr2 = r1\nif r1 == r2 goto +0\nr0 = 0\n"
     "exit\n.function f\n*(u64 *)(r1 + 0) = r10\nexit",
     "r6 = big ll\nr1 = r6\ncall f\nr1 = *(u64 *)(r6 + 0)\nr2 = r1\nr0 = 0\n"
     "exit\n.function f\n*(u64 *)(r1 + 0) = r10\nexit"},
    {Reason::kAddressAsNumber,
     "r6 = big ll\nr1 = r6\ncall f\nr1 = *(u64 *)(r6 + 0)\nif r1 == 0 goto +0\nr0 = 0\n"
     "exit\n.function f\n*(u64 *)(r1 + 0) = r10\nexit",
     "r6 = big ll\n*(u64 *)(r6 + 0) = r10\nr1 = *(u64 *)(r6 + 0)\nif r1 == 0 goto +0\nr0 = 0\n"
     "exit"},

    // ---- atomics ----
    {Reason::kAtomicUnaligned, "r2 = 1\nlock *(u64 *)(r1 + 4) += r2\nr0 = 0\nexit",
     "r2 = 1\nlock *(u32 *)(r1 + 4) += w2\nr0 = 0\nexit"},
    {Reason::kAtomicUnaligned, "r2 = 1\nw2 = xchg32_32(r1 + 2, w2)\nr0 = 0\nexit",
     "r2 = 1\nw2 = xchg32_32(r1 + 8, w2)\nr0 = 0\nexit"},
    {Reason::kAtomicOnPointer, "lock *(u64 *)(r1 + 0) += r1\nr0 = 0\nexit",
     "r2 = 0\nlock *(u64 *)(r1 + 0) += r2\nr0 = 0\nexit"},
    {Reason::kAtomicOnPointer, "r2 = r1\nr2 = xchg_64(r1 + 0, r2)\nr0 = 0\nexit",
     "r2 = 0\nr2 = xchg_64(r1 + 0, r2)\nr0 = 0\nexit"},
    {Reason::kAtomicOnPointer,
     "*(u64 *)(r1 + 0) = r1\nr2 = 0\nr2 = xchg_64(r1 + 0, r2)\nr0 = 0\nexit",
     "*(u64 *)(r1 + 0) = r1\nr2 = 0\nr2 = xchg_64(r1 + 8, r2)\nr0 = 0\nexit"},
    {Reason::kAtomicOnPointer, "r0 = r1\nr2 = 0\nr0 = cmpxchg_64(r1 + 0, r0, r2)\nr0 = 0\nexit",
     "r0 = 0\nr2 = 0\nr0 = cmpxchg_64(r1 + 0, r0, r2)\nr0 = 0\nexit"},

    // ---- returns ----
    {Reason::kReturnsOwnFrame, "call f\nr0 = 0\nexit\n.function f\nr0 = r10\nr0 += -8\nexit",
     "r1 = r10\ncall f\nr0 = 0\nexit\n.function f\nr0 = r1\nexit"},
    {Reason::kMainReturnsPointer, "r0 = r1\nexit", "r0 = r1\nr0 -= r1\nexit"},
    {Reason::kMainReturnsPointer, "r0 = r10\nexit", "r0 = r10\nr0 = 0\nexit"},

    // ---- helpers ----
    {Reason::kUninitialisedRegister, "r1 = r10\nr1 += -8\ncall 16\nexit",
     "r1 = r10\nr1 += -8\nr2 = 8\ncall 16\nexit"},
    {Reason::kArgumentNotScalar, "r3 = r10\nr3 += -8\nr4 = 8\nr2 = r1\ncall 26\nexit",
     "r3 = r10\nr3 += -8\nr4 = 8\nr2 = 0\ncall 26\nexit"},
    {Reason::kArgumentNotContext, "r3 = r10\nr3 += -8\nr4 = 8\nr2 = 0\nr1 += 8\ncall 26\nexit",
     "r3 = r10\nr3 += -8\nr4 = 8\nr2 = 0\nr1 += 0\ncall 26\nexit"},
    {Reason::kArgumentNotContext, "r3 = r10\nr3 += -8\nr4 = 8\nr2 = 0\nr1 = big ll\ncall 26\nexit",
     "r3 = big ll\nr4 = 8\nr2 = 0\ncall 26\nexit"},
    {Reason::kArgumentNotContext, "r1 += 1\nr2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit",
     "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit"},
    {Reason::kArgumentNotArray, "r2 = big ll\nr3 = 0\ncall 12\nr0 = 0\nexit",
     "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit"},
    {Reason::kArgumentNotScalar, "r2 = jmp ll\nr3 = r2\ncall 12\nr0 = 0\nexit",
     "r2 = jmp ll\nr3 = 9\ncall 12\nr0 = 0\nexit"},
    {Reason::kArgumentSize, "r2 = 0\ncall 16\nexit", "r2 = 1\ncall 16\nexit"},
    {Reason::kArgumentSize, ".stack 512\nr1 = r10\nr1 += -512\nr2 = 513\ncall 16\nexit",
     ".stack 512\nr1 = r10\nr1 += -512\nr2 = 512\ncall 16\nexit"},
    {Reason::kArgumentSize, "r2 = 0x100000008 ll\ncall 16\nexit", "r2 = 8\ncall 16\nexit"},
    {Reason::kOutsideFrame, ".stack 8\nr1 = r10\nr1 += -8\nr2 = 9\ncall 16\nexit",
     ".stack 8\nr1 = r10\nr1 += -8\nr2 = 8\ncall 16\nexit"},
    {Reason::kOutsideContext, "r2 = 65\ncall 16\nexit", "r2 = 64\ncall 16\nexit"},
    {Reason::kOutsideRegion, "r1 = small + 9 ll\nr2 = 8\ncall 16\nexit",
     "r1 = small + 8 ll\nr2 = 8\ncall 16\nexit"},
    {Reason::kAccessThroughScalar, "r1 = 0\nr2 = 8\ncall 16\nexit", "r2 = 8\ncall 16\nexit"},
    {Reason::kUninitialisedStack,
     "r3 = 0\nr4 = 0\nr5 = 0\nr1 = r10\nr1 += -8\nr2 = 8\ncall 6\nexit",
     "r3 = 0\nr4 = 0\nr5 = 0\nr1 = r10\nr1 += -8\n*(u64 *)(r1 + 0) = 0\nr2 = 8\ncall 6\nexit"},
    {Reason::kAddressAsNumber,
     "r3 = 0\nr4 = 0\nr5 = 0\n*(u64 *)(r1 + 8) = r1\nr2 = 9\ncall 6\nexit",
     "r3 = 0\nr4 = 0\nr5 = 0\n*(u64 *)(r1 + 8) = r1\nr2 = 8\ncall 6\nexit"},
    {Reason::kPointerTorn, "*(u64 *)(r1 + 8) = r1\nr2 = 12\ncall 16\nexit",
     "*(u64 *)(r1 + 8) = r1\nr2 = 16\ncall 16\nexit"},
    {Reason::kArgumentNotFunction,
     "r1 = 1\nr2 = 1\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nr0 = 0\nexit",
     "r1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nr0 = 0\nexit"},
    {Reason::kArgumentNotScalar,
     "r4 = r1\nr1 = 1\nr2 = f ll\nr3 = 0\ncall 181\nexit\n.function f\nr0 = 0\nexit",
     "r3 = r1\nr1 = 1\nr2 = f ll\nr4 = 0\ncall 181\nexit\n.function f\nr0 = 0\nexit"},
    {Reason::kCallbackResult,
     "r1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nr0 = 2\nexit",
     "r1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nr0 = 1\nexit"},
    {Reason::kCallbackResult,
     "r3 = r1\nr1 = 1\nr2 = f ll\nr4 = 0\ncall 181\nexit\n.function f\nr0 = r2\nexit",
     "r3 = r1\nr1 = 1\nr2 = f ll\nr4 = 0\ncall 181\nexit\n.function f\nr0 = r1\nexit"},
    {Reason::kUninitialisedRegister,
     "r1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nexit",
     "r1 = 0\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nexit"},
    {Reason::kUninitialisedRegister,
     "r1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nr0 = r3\nexit",
     "r1 = 1\nr2 = f ll\nr3 = 0\nr4 = 0\ncall 181\nexit\n.function f\nr0 = r2\nexit"},

    // ---- tail calls ----
    {Reason::kUninitialisedRegister, "r2 = jmp ll\nr3 = 0\ncall 12\nexit",
     "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = 0\nexit"},
    {Reason::kUninitialisedRegister, "r0 = 1\nr2 = jmp ll\nr3 = 0\ncall 12\nexit",
     "r6 = 1\nr2 = jmp ll\nr3 = 0\ncall 12\nr0 = r6\nexit"},
    {Reason::kUninitialisedRegister, "r2 = jmp ll\nr3 = 0\ncall 12\nr0 = r3\nexit",
     "r2 = jmp ll\nr3 = 0\ncall 12\nr3 = 0\nr0 = r3\nexit"},

    // ---- limits of the model ----
    {Reason::kOutOfFuel, "r0 = 0\nagain:\nr0 += 1\nif r0 != 50000 goto again\nexit",
     "r0 = 0\nagain:\nr0 += 1\nif r0 != 49999 goto again\nexit"},
    {Reason::kPacketAccess, "r6 = r1\nr0 = *(u8 *)skb[0]\nexit", "r0 = *(u8 *)(r1 + 0)\nexit"},
    {Reason::kPacketAccess, "r6 = r1\nr2 = 0\nr0 = *(u32 *)skb[r2]\nexit",
     "r6 = r1\nr2 = 0\nr0 = 0\nexit"},
    {Reason::kMayGoto, "r0 = 0\nmay_goto +0\nexit", "r0 = 0\ngoto +0\nexit"},
};

TEST(Undefined, EveryRuleIsSeenAndItsNearMissIsDefined) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.broken);
    const Execution broken = run_text(in_main(row.broken));
    EXPECT_FALSE(broken.defined);
    EXPECT_EQ(broken.undefined_reason, reason_phrase(row.reason));
    const Execution sound = run_text(in_main(row.sound));
    EXPECT_TRUE(sound.defined) << sound.undefined_reason << " in the near miss\n" << row.sound;
    EXPECT_EQ(sound.undefined_reason, "");
  }
}

// Rules of running code that need more than one program, or more than one run, to break.
TEST(Undefined, ATailCalledMainFunctionReturnsANumberToASubprogramsCaller) {
  constexpr std::string_view kBegin = R"(
.array jmp 1
.slot jmp 0 other
.program entry
.function main
        call sub
        r0 = 0
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        exit
.program other
.function main
)";
  const Execution uninitialised = run_text(std::string(kBegin) + "exit\n");
  EXPECT_EQ(uninitialised.undefined_reason, reason_phrase(Reason::kUninitialisedRegister));
  EXPECT_EQ(uninitialised.undefined_at, (Place{1, 0, 0}));
  const Execution pointer = run_text(std::string(kBegin) + "r0 = r1\nexit\n");
  EXPECT_EQ(pointer.undefined_reason, reason_phrase(Reason::kMainReturnsPointer));
  expect_returns(run_text(std::string(kBegin) + "r0 = 1\nexit\n"), 0);
}

// The frame of an activation is gone once a tail call has been taken.
TEST(Undefined, AFrameDiesWithATakenTailCall) {
  const Execution e = run_text(R"(
.array jmp 1
.slot jmp 0 other
.region box 8
.program entry
.function main
        *(u64 *)(r10 - 8) = 5
        r2 = box ll
        *(u64 *)(r2 + 0) = r10
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 0
        exit
.program other
.function main
        *(u64 *)(r10 - 8) = 6
        r2 = box ll
        r2 = *(u64 *)(r2 + 0)
        r0 = *(u64 *)(r2 - 8)
        exit
)");
  EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kDeadFrame));
  EXPECT_EQ(e.undefined_at, (Place{1, 0, 4}));
}

// A function of another program, found through a caller's frame, is no callback here.
TEST(Undefined, CallbacksBelongToTheProgramThatRuns) {
  const auto text = [](std::string_view program) {
    return R"(
.array jmp 1
.slot jmp 0 other
.region box 8
.program entry
.function main
        r1 = body ll
        *(u64 *)(r10 - 8) = r1
        r1 = box ll
        *(u64 *)(r1 + 0) = r10
        call sub
        exit
.function sub
        r1 = box ll
        r1 = *(u64 *)(r1 + 0)
        r2 = *(u64 *)(r1 - 8)
        r1 = 1
        r3 = 0
        r4 = 0
        call 181
        exit
.function body
        r0 = 1
        exit
.program other
.function main
        r1 = box ll
        r1 = *(u64 *)(r1 + 0)
        r2 = *(u64 *)(r1 - 8)
        r1 = 1
        r3 = 0
        r4 = 0
        call 181
        exit
)" + std::string(program);
  };
  expect_returns(run_text(text("")), 1);
  Case foreign = case_of(text(""));
  foreign.context.resize(8);
  // sub tail-calls the other program, which calls back a function of the first.
  foreign.programs[0].functions[1].insns = {
      make_insn(Opcode::kLoadArray, 2), Insn{}, make_insn(Opcode::kMov64Imm, 3, 0, 0, 0),
      make_insn(Opcode::kCallHelper, 0, 0, 0, kTailCallHelper), make_insn(Opcode::kExit)};
  foreign.programs[0].functions[0].insns.insert(foreign.programs[0].functions[0].insns.begin(),
                                                make_insn(Opcode::kMov64Reg, 6, 1));
  std::vector<Insn>& main = foreign.programs[0].functions[0].insns;
  main.insert(main.end() - 2, make_insn(Opcode::kMov64Reg, 1, 6));
  const Execution e = run(foreign, {});
  EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kArgumentNotFunction));
  EXPECT_EQ(e.undefined_at, (Place{1, 0, 7}));
}

TEST(Undefined, FuelIsCountedInInstructions) {
  const Case value = case_of(in_main("r0 = 0\nr0 += 1\nexit"));
  EXPECT_TRUE(run(value, {}, {.fuel = 3}).defined);
  const Execution e = run(value, {}, {.fuel = 2});
  EXPECT_EQ(e.undefined_reason, reason_phrase(Reason::kOutOfFuel));
  EXPECT_EQ(e.undefined_at, (Place{0, 0, 2}));
  EXPECT_EQ(e.instructions, 2u);
}

// Every reason of the table that a running instruction can give is in the rows above; what a
// contract does not say: contract_words_test.cc.
TEST(Undefined, TheRowsAreComplete) {
  std::set<Reason> seen;
  for (const Row& row : kRows) seen.insert(row.reason);
  bool structural = true;
  for (const Reason reason : all_reasons()) {
    if (reason == Reason::kUninitialisedRegister) structural = false;
    const bool unsaid = reason_info(reason).kind == ReasonKind::kUnsaid;
    EXPECT_TRUE(structural || unsaid || seen.contains(reason)) << reason_phrase(reason);
  }
}

// Statistics group by phrase.
TEST(Undefined, PhrasesAreDistinctAndHoldNoNumbers) {
  std::set<std::string_view> phrases;
  for (const Reason reason : all_reasons()) {
    EXPECT_TRUE(phrases.insert(reason_phrase(reason)).second) << reason_phrase(reason);
    EXPECT_EQ(reason_phrase(reason).find_first_of("0123456789"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace plumb::oracle
