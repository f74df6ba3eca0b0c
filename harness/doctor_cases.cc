// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include "harness/doctor.h"

namespace plumb::harness {
namespace {

constexpr std::array kCases{
    DoctorCase{"returns-a-value", "the program's entry, the register of the result", R"(.case 1
.program entry
.function main
        r0 = 7
        exit
)"},
    DoctorCase{"returns-64-bits", "the width of the result", R"(.case 1
.program entry
.function main
        r0 = 0x1122334455667788 ll
        exit
)"},
    DoctorCase{"reads-the-context", "the register of the context on entry", R"(.case 1
.program entry
.function main
        r0 = *(u32 *)(r1 + 4)
        exit
.context 01 02 03 04 05 06 07 08
)"},
    DoctorCase{"divides-by-zero", "what a division by zero does", R"(.case 1
.program entry
.function main
        r2 = *(u32 *)(r1 + 0)
        r0 = 9
        r0 /= r2
        r0 += 5
        exit
.context 00 00 00 00
)"},
    DoctorCase{"uses-its-stack", "R10, the BPF stack, where instructions begin", R"(.case 1
.program entry
.function main
        r1 = 0x1122334455667788 ll
        *(u64 *)(r10 - 8) = r1
        *(u8 *)(r10 - 9) = 0x55
        *(u32 *)(r10 - 64) = 3
        r0 = *(u64 *)(r10 - 8)
        exit
)"},
    DoctorCase{"calls-a-helper", "the helper stubs, their arguments, alignment, the frame chain",
               R"(.case 1
.program entry
.function main
        *(u64 *)(r10 - 8) = 1
        *(u64 *)(r10 - 16) = 2
        r1 = r10
        r1 += -8
        r2 = 8
        r3 = r10
        r3 += -16
        r4 = 8
        r5 = 77
        call 28                 // csum_diff
        exit
)"},
    DoctorCase{"keeps-r6-to-r9", "which registers hold R6 to R9, and who saves the caller's",
               R"(.case 1
.program entry
.function main
        r6 = 6
        r7 = 7
        r8 = 8
        r9 = 9
        call 7                  // get_prandom_u32
        r0 = r6
        r0 += r7
        r0 += r8
        r0 += r9
        exit
)"},
    DoctorCase{"calls-a-function",
               "R1 to R5 of BPF calls, who saves R6 to R9, who moves R10, what calls push",
               R"(.case 1
.program entry
.function main
        r6 = 6
        r7 = 7
        r8 = 8
        r9 = 9
        *(u64 *)(r10 - 8) = 1
        r1 = r10
        r1 += -8
        r2 = 22
        r3 = 33
        r4 = 44
        r5 = 55
        call sub
        r1 = *(u64 *)(r10 - 8)
        r0 += r1
        r0 += r6
        r0 += r7
        r0 += r8
        r0 += r9
        r6 = r0
        call 7                  // get_prandom_u32
        r0 = r6
        exit
.function sub
        r6 = r1
        r7 = r2
        r8 = r3
        r9 = r4
        *(u64 *)(r10 - 16) = 5
        *(u64 *)(r6 + 0) = 100
        call 7
        r0 = *(u64 *)(r10 - 16)
        r0 += r7
        r0 += r8
        r0 += r9
        exit
)"},
    DoctorCase{"makes-a-tail-call", "where tail calls land", R"(.case 1
.array jmp 1
.slot jmp 0 target
.program entry
.function main
        r6 = 6
        *(u64 *)(r10 - 8) = 1
        r2 = jmp ll
        r3 = 0
        call 12                 // bpf_tail_call
        r0 = 1
        exit
.program target
.function main
        r6 = 1
        r7 = r1
        *(u64 *)(r10 - 24) = 3
        call 7                  // get_prandom_u32
        r0 = *(u64 *)(r10 - 24)
        r1 = *(u8 *)(r7 + 0)
        r0 += r1
        exit
.context 04
)"},
    // Every round tries an empty slot first: where that counts, fewer rounds are made.
    DoctorCase{"counts-tail-calls", "whether an attempt at an empty slot counts", R"(.case 1
.array jmp 2
.slot jmp 0 entry
.region rounds 8
.program entry
.function main
        r6 = r1
        r1 = rounds ll
        r2 = *(u64 *)(r1 + 0)
        r2 += 1
        *(u64 *)(r1 + 0) = r2
        r1 = r6
        r2 = jmp ll
        r3 = 1
        call 12                 // bpf_tail_call, an empty slot
        r1 = r6
        r2 = jmp ll
        r3 = 0
        call 12                 // bpf_tail_call
        r1 = rounds ll
        r0 = *(u64 *)(r1 + 0)
        exit
)"},
};

}  // namespace

std::span<const DoctorCase> doctor_cases() { return kCases; }

}  // namespace plumb::harness
