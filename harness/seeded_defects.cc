// SPDX-License-Identifier: GPL-2.0-or-later
//
// A table: one row a defect.
#include "harness/seeded_defects.h"

namespace plumb::harness {
namespace {

// Calls, helper calls, callee-saved registers, stores to one's own and to the caller's stack.
constexpr const char* kCalls = R"(.case 1
.region map 16
.program entry
.function main
        r6 = 6
        r7 = 7
        *(u64 *)(r10 - 8) = 1
        r1 = r10
        r1 += -8
        call sub
        call 7
        r2 = map ll
        *(u64 *)(r2 + 0) = r6
        r0 = *(u64 *)(r10 - 8)
        r0 += r6
        r0 += r7
        exit
.function sub
        r6 = r1
        r7 = 70
        *(u64 *)(r10 - 16) = 2
        call leaf
        call 7
        *(u64 *)(r6 + 0) = 3
        r0 = 1
        exit
.function leaf
        *(u64 *)(r10 - 8) = 5
        r0 = *(u64 *)(r10 - 8)
        exit
)";

// 32-bit constants without a byte of 0 or 255, blinded to a mov and an xor each.
constexpr const char* kConstants = R"(.case 1
.program entry
.function main
        w0 = 305419896
        w0 ^= 591751049
        exit
)";

// A program that tail-calls itself up to the limit, with a stack and a saved register.
constexpr const char* kChain = R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        *(u64 *)(r10 - 24) = 2
        call 7
        r1 = r6
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 7
        exit
)";

// Both calls of the subprogram tail-call the program again.
constexpr const char* kTree = R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        *(u8 *)(r10 - 3) = 1
        call sub
        r1 = r6
        call sub
        r0 = 9
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 7
        exit
)";

// One tail call to an empty slot (indirect), one out of range, one to an empty slot (direct).
constexpr const char* kRefused = R"(.case 1
.array jmp 2
.slot jmp 0 entry
.program entry
.function main
        r6 = *(u64 *)(r1 + 0)
        r7 = r1
        r2 = jmp ll
        r3 = r6
        call 12
        r1 = r7
        r2 = jmp ll
        r3 = r6
        r3 += 1
        call 12
        call 7
        r1 = r7
        r2 = jmp ll
        r3 = 1
        call 12
        r0 = 4
        exit
.context 01 00 00 00 00 00 00 00
)";

// A subprogram that throws, and a callback with a stack and a register of its own.
constexpr const char* kThrow = R"(.case 1
.program entry
.callback callback
.function main
        call sub
        r0 = 0
        exit
.function sub
        r1 = 7
        call bpf_throw
.function callback
        r6 = r1
        *(u64 *)(r10 - 8) = r6
        r0 = r6
        exit
)";

// A subprogram with two instructions that nobody needs, which calls another one.
constexpr const char* kDead = R"(.case 1
.program entry
.function main
        r6 = 6
        r7 = 7
        call sub
        r0 = 1
        exit
.function sub
        r7 = 70
        r8 = 80
        call 7
        r0 = 2
        exit
)";

// A subprogram without a stack, and nothing of the caller's behind the pointer.
constexpr const char* kBare = R"(.case 1
.program entry
.function main
        call sub
        exit
.function sub
        call 7
        r0 = 1
        exit
)";

// A callback, which the kernel calls.
constexpr const char* kCallback = R"(.case 1
.program entry
.function main
        r1 = 2
        r2 = each ll
        r3 = 0
        r4 = 0
        call 181
        r0 = 1
        exit
.function each
        r6 = 77
        call 7
        r0 = 0
        exit
)";

// A tail call whose key nobody knows, with pads where the plugin makes them.
constexpr const char* kIndirect = R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        r3 = *(u64 *)(r1 + 0)
        r2 = jmp ll
        call 12
        r0 = 7
        exit
.context 00 00 00 00 00 00 00 00
)";

// Two instructions whose results nobody reads, in whose place stores can stand: five bytes or more
// on x86-64, ten or more, four on the others.
constexpr const char* kRoom = R"(.case 1
.program entry
.function main
        *(u64 *)(r10 - 8) = 1
        r0 = 5
        r0 = 0x1122334455667788 ll
        call sub
        r0 = *(u64 *)(r10 - 8)
        exit
.function sub
        *(u64 *)(r10 - 8) = 2
        call 7
        r0 = 5
        r0 = 0x1122334455667788 ll
        r0 = *(u64 *)(r10 - 8)
        exit
)";

// The same behind a tail call of a subprogram, when the count is known to be one.
constexpr const char* kCountRoom = R"(.case 1
.array jmp 1
.slot jmp 0 other
.program entry
.function main
        r6 = r1
        *(u64 *)(r10 - 8) = 1
        call sub
        r0 = 5
        r1 = r6
        call sub
        r0 = 9
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 7
        exit
.program other
.function main
        r0 = 3
        exit
)";

// The same behind an attempt at an empty slot, which counts where the contract says so.
constexpr const char* kEmptyRoom = R"(.case 1
.array jmp 1
.program entry
.function main
        r6 = r1
        *(u64 *)(r10 - 8) = 1
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 5
        r1 = r6
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 9
        exit
)";

}  // namespace

const char* const kTreeCase = kTree;

const std::vector<const char*>& defect_cases() {
  static const std::vector<const char*> texts{kCalls,     kChain,    kTree, kRefused,   kBare,
                                              kCallback,  kIndirect, kRoom, kCountRoom, kEmptyRoom,
                                              kConstants, kDead,     kThrow};
  return texts;
}

const std::vector<Defect>& defects() {
  static const std::vector<Defect> rows{
      // ---- registers ----
      {"the epilogue pops in the order of the pushes",
       kCalls,
       {{1, "41 5d 5b c9 c3", "5b 41 5d c9 c3"}},
       "r6-r9-survive-calls"},
      {"the prologue does not push rbx",
       kCalls,
       {{1, "53 41 55", "90 41 55"}},
       "r6-r9-survive-calls"},
      {"the prologue pushes r14 for r13",
       kCalls,
       {{1, "53 41 55", "53 41 56"}},
       "r6-r9-survive-calls"},
      {"the main function does not pop rbx",
       kCalls,
       {{0, "41 5d 5b c9 c3", "41 5d 90 c9 c3"}},
       "callee-saved-preserved"},
      {"a subprogram clobbers r12",
       kCalls,
       {{1, "0f 1f 44 00 00", "49 83 c4 01 90"}},
       "callee-saved-preserved"},
      {"a callback does not restore rbx",
       kCallback,
       {{1, "5b c9 c3", "90 c9 c3"}},
       "callee-saved-preserved"},
      {"the prologue pushes rax for rbp",
       kCalls,
       {{1, "55 48 89 e5", "50 48 89 e5"}},
       "fp-chain-walkable"},
      // ---- the stack pointer ----
      {"leave is only a pop of rbp", kCalls, {{1, "5b c9 c3", "5b 5d c3"}}, "stays-in-image"},
      {"leave is missing", kBare, {{1, "c9 c3", "90 c3"}}, "stays-in-image"},
      {"the frame is not rounded up to 8 bytes",
       kCalls,
       {{1, "48 81 ec 10 00 00 00", "48 81 ec 0c 00 00 00"}},
       "bpf-stack-disjoint-from-saved-area"},
      {"the frame is one byte too large",
       kCalls,
       {{1, "48 81 ec 10 00 00 00", "48 81 ec 11 00 00 00"}},
       "sp-aligned-at-call"},
      {"the frame is not allocated",
       kCalls,
       {{1, "48 81 ec 10 00 00 00", "48 81 ec 00 00 00 00"}},
       "bpf-stack-disjoint-from-saved-area"},
      {"the frame of a leaf is not allocated",
       kCalls,
       {{2, "48 81 ec 08 00 00 00", "48 81 ec 00 00 00 00"}},
       "no-live-data-below-sp"},
      {"a tail call leaves the frame on the stack",
       kChain,
       {{0, "48 81 c4 18 00 00 00", "48 81 c4 00 00 00 00"}},
       "stack-growth-bounded"},
      {"a tail call pops one register too few",
       kChain,
       {{0, "5b 58 58", "5b 58 90"}},
       "stack-growth-bounded"},
      {"a subprogram's tail call pops one register too few",
       kTree,
       {{1, "58 58 e9", "58 90 e9"}},
       "sp-balanced"},
      {"a tail call removes too much",
       kChain,
       {{0, "48 81 c4 18 00 00 00", "48 81 c4 20 00 00 00"}},
       "sp-balanced"},
      // ---- the frame record ----
      {"rbp is not set up, over a BPF stack",
       kCalls,
       {{1, "48 89 e5", "0f 1f 00"}},
       "bpf-stack-disjoint-from-saved-area"},
      {"rbp is not set up", kBare, {{1, "48 89 e5", "0f 1f 00"}}, "fp-chain-matches-calls"},
      // ---- stores ----
      {"a store hits the frame record",
       kCalls,
       {{0, "48 c7 45 f8", "48 c7 45 00"}},
       "saved-slots-unwritten"},
      {"a store hits the return address",
       kCalls,
       {{0, "48 c7 45 f8", "48 c7 45 08"}},
       "return-address-intact"},
      {"a store hits a saved register",
       kCalls,
       {{1, "48 c7 45 f0", "48 c7 45 e8"}},
       "saved-slots-unwritten"},
      {"a store hits memory above the frames",
       kCalls,
       {{0, "48 c7 45 f8", "48 c7 45 40"}},
       "bpf-stack-in-frame"},
      {"a store through a pointer is 8 bytes off",
       kCalls,
       {{1, "48 c7 43 00", "48 c7 43 08"}},
       "saved-slots-unwritten"},
      {"a store goes to another slot of the frame",
       kCalls,
       {{1, "48 c7 45 f0", "48 c7 45 f8"}},
       "same-stores"},
      {"a store has another value",
       kCalls,
       {{0, "48 c7 45 f8 01", "48 c7 45 f8 02"}},
       "same-stores"},
      // ---- stores of the JIT itself: mov [rbp + n], rax in place of something that is not used
      // ----
      {"the JIT writes right above its entry",
       kRoom,
       {{0, "b8 05 00 00 00", "48 89 45 10 90"}},
       "caller-stack-unwritten"},
      {"the JIT writes far above its entry",
       kRoom,
       {{0, "48 b8 88 77 66 55 44 33 22 11", "48 89 85 00 02 00 00 0f 1f 00"}},
       "caller-stack-unwritten"},
      {"a subprogram writes far above the entry",
       kRoom,
       {{1, "48 b8 88 77 66 55 44 33 22 11", "48 89 85 00 02 00 00 0f 1f 00"}},
       "caller-stack-unwritten"},
      {"the JIT writes over the BPF stack",
       kRoom,
       {{0, "b8 05 00 00 00", "48 89 45 f8 90"}},
       "stores-are-accounted-for"},
      {"a subprogram writes over its BPF stack",
       kRoom,
       {{1, "b8 05 00 00 00", "48 89 45 f8 90"}},
       "stores-are-accounted-for"},
      {"the JIT writes over the count",
       kCountRoom,
       {{0, "b8 05 00 00 00", "48 89 45 f0 90"}},
       "tail-call-counter-intact"},
      {"the JIT writes over the count, by value",
       kEmptyRoom,
       {{0, "b8 05 00 00 00", "48 89 45 f0 90"}},
       "tail-call-counter-intact",
       kPlain61},
      {"the JIT writes above its entry, by value",
       kRoom,
       {{0, "b8 05 00 00 00", "48 89 45 10 90"}},
       "caller-stack-unwritten",
       kPlain61},
      {"the JIT writes far above its entry, by value",
       kRoom,
       {{0, "48 b8 88 77 66 55 44 33 22 11", "48 89 85 00 02 00 00 0f 1f 00"}},
       "caller-stack-unwritten",
       kPlain61},
      {"the JIT writes over the BPF stack, by value",
       kRoom,
       {{0, "b8 05 00 00 00", "48 89 45 f8 90"}},
       "stores-are-accounted-for",
       kPlain61},
      // ---- the tail-call counter ----
      {"34 tail calls are allowed", kChain, {{0, "48 83 38 21", "48 83 38 22"}}, "tail-call-bound"},
      {"jae is ja", kChain, {{0, "48 83 38 21 73", "48 83 38 21 77"}}, "tail-call-bound"},
      {"32 tail calls are allowed",
       kChain,
       {{0, "48 83 38 21", "48 83 38 20"}},
       "tail-call-count-matches-oracle"},
      {"the counter is stored as it was",
       kChain,
       {{0, "48 83 00 01", "48 83 00 00"}},
       "tail-call-counter-intact"},
      {"the counter is not stored", kChain, {{0, "48 83 00 01", "0f 1f 40 00"}}, "tail-call-bound"},
      {"each tail call counts twice",
       kTree,
       {{1, "48 83 00 01", "48 83 00 02"}},
       "tail-call-counter-intact"},
      {"a subprogram does not count",
       kTree,
       {{1, "48 83 00 01", "0f 1f 40 00"}},
       "tail-call-bound"},
      {"the counter's pointer is not loaded before a call",
       kTree,
       {{0, "48 8b 85 ?? ff ff ff e8", "0f 1f 80 00 00 00 00 ??", 1}},
       "native-fault"},
      {"the counter's pointer is loaded from half a slot off",
       kTree,
       {{0, "48 8b 85 ?? ff ff ff e8", "?? ?? ?? +4 ?? ?? ?? ??", 0}},
       "native-fault"},
      {"a subprogram sets the counter's pointer to 0",
       kTree,
       {{1, "0f 1f 00 55", "48 31 c0 55"}},
       "native-fault"},
      {"a tail callee starts a count of its own",
       kChain,
       {{0, "48 83 f8 21 77 06 50", "48 31 c0 90 77 06 50"}},
       "tail-call-bound"},
      // ---- control flow ----
      {"a tail call lands 4 bytes late",
       kTree,
       {{1, "58 58 e9 ??", "?? ?? ?? +4"}},
       "lands-on-entry-or-return"},
      {"a tail call lands on the entry",
       kTree,
       {{1, "58 58 e9 ??", "?? ?? ?? -12"}},
       "lands-on-entry-or-return"},
      {"a call lands one byte late",
       kCalls,
       {{0, "48 83 c7 f8 e8 ??", "?? ?? ?? ?? ?? +1"}},
       "lands-on-entry-or-return"},
      {"a call reaches another function's middle",
       kCalls,
       {{0, "48 83 c7 f8 e8 ??", "?? ?? ?? ?? ?? +64"}},
       "lands-on-entry-or-return"},
      {"a call reaches no helper", kBare, {{1, "e8 ??", "?? +16"}}, "lands-on-entry-or-return"},
      {"an empty slot is not noticed",
       kRefused,
       {{0, "48 85 c9 74 ??", "48 85 c9 66 90"}},
       "native-fault"},
      {"a refused tail call skips an instruction",
       kRefused,
       {{0, "48 83 38 21 73 ?? e9 ??", "?? ?? ?? ?? ?? ?? ?? +5"}},
       "refused-tail-call-falls-through"},
      {"a refused tail call has popped",
       kRefused,
       {{0, "48 85 c9 74 ??", "5b 41 5d eb ??"}},
       "sp-balanced"},
      {"an undefined instruction", kCalls, {{2, "48 8b 45 f8", "0f 0b 45 f8"}}, "native-fault"},
      {"a loop without an end", kCalls, {{2, "48 8b 45 f8", "eb fe 45 f8"}}, "terminates"},
      {"a jump out of the image",
       kCalls,
       {{2, "48 8b 45 f8 c9 c3", "31 c0 ff e0 c9 c3"}},
       "stays-in-image"},
      {"the entry has no pad",
       kBare,
       {{0, "f3 0f 1e fa", "0f 1f 40 00"}},
       "indirect-target-has-landing-pad",
       kIbt},
      {"where tail calls land is no pad",
       kIndirect,
       {{0, "48 89 e5 f3 0f 1e fa", "48 89 e5 0f 1f 40 00"}},
       "indirect-target-has-landing-pad",
       kIbt},
      {"a callback has no pad",
       kCallback,
       {{1, "f3 0f 1e fa", "0f 1f 40 00"}},
       "indirect-target-has-landing-pad",
       kIbt},
      {"with FineIBT, where tail calls land is no pad",
       kIndirect,
       {{0, "48 89 e5 f3 0f 1e fa", "48 89 e5 66 0f 1f 00"}},
       "indirect-target-has-landing-pad",
       kFineIbt},
      // ---- hashes, signed return addresses, blinding ----
      {"the hash of callbacks in front of a program",
       kBare,
       {{0, "fc 9d 05 83", "2c a6 4c c9"}},
       "cfi-hash-matches-kind",
       kKcfi},
      {"the hash of programs in front of a callback",
       kCallback,
       {{1, "2c a6 4c c9", "fc 9d 05 83"}},
       "cfi-hash-matches-kind",
       kKcfi},
      {"with FineIBT, another hash",
       kBare,
       {{0, "fc 9d 05 83", "+1 ?? ?? ??"}},
       "cfi-hash-matches-kind",
       kFineIbt},
      {"a return that authenticates nothing",  // autiasp; ret: nop; ret
       kBare,
       {{1, "bf 23 03 d5 c0 03 5f d6", "1f 20 03 d5 c0 03 5f d6"}},
       "return-address-authenticated",
       kArm64Pac},
      {"a return address that nobody signs",  // paciasp: nop
       kBare,
       {{0, "3f 23 03 d5", "1f 20 03 d5"}},
       "return-address-authenticated",
       kArm64Pac},
      {"constants that stand in the code",  // mov r10d, constant; xor r10d, 0
       kConstants,
       {{0, "41 ba ?? ?? ?? ?? 41 81 f2 ?? ?? ?? ??", "41 ba 78 56 34 12 41 81 f2 00 00 00 00"},
        {0, "41 ba ?? ?? ?? ?? 41 81 f2 ?? ?? ?? ??", "41 ba 89 67 45 23 41 81 f2 00 00 00 00", 1}},
       "constants-blinded",
       kBlinding},
      // ---- exception boundaries: all callee-saved registers are pushed; arenas: r12 is ----
      {"a tail call of a boundary leaves out r15",
       kChain,
       {{0, "41 5f 41 5e 41 5d 5b 41 5c 58", "66 90 ?? ?? ?? ?? ?? ?? ?? ??"}},
       "stack-growth-bounded",
       kExceptions},
      {"a tail call of a boundary leaves out r12",
       kChain,
       {{0, "5b 41 5c 58 58", "5b 66 90 58 58"}},
       "stack-growth-bounded",
       kExceptions},
      {"a boundary pops r14 and r15 in the other order",
       kCalls,
       {{0, "41 5f 41 5e", "41 5e 41 5f"}},
       "callee-saved-preserved",
       kExceptions},
      {"a boundary pushes r13 for r12",
       kCalls,
       {{0, "41 54 53", "41 55 53"}},
       "callee-saved-preserved",
       kExceptions},
      {"a tail call does not pop the arena's register",
       kChain,
       {{0, "5b 41 5c 58 58", "5b 66 90 58 58"}},
       "stack-growth-bounded",
       kArena},
      {"a tail call drops the arena's register",  // pop rax
       kChain,
       {{0, "5b 41 5c 58 58", "5b 90 58 58 58"}},
       "callee-saved-preserved",
       kArena},
      {"the arena's register is not saved",
       kBare,
       {{0, "41 54 49 bc", "66 90 49 bc"}, {0, "41 5c c9 c3", "66 90 c9 c3"}},
       "callee-saved-preserved",
       kArena},
      {"the arena's address is loaded into another register",  // r13
       kBare,
       {{1, "49 bc", "49 bd"}},
       "r6-r9-survive-calls",
       kArena},
      // ---- values ----
      {"another helper is called", kBare, {{1, "e8 ??", "?? -32"}}, "same-events"},
      {"a stack pointer argument is 8 bytes off",
       kCalls,
       {{0, "48 83 c7 f8", "48 83 c7 f0"}},
       "same-events"},
      {"a subprogram returns another value",
       kBare,
       {{1, "b8 01 00 00 00", "b8 02 00 00 00"}},
       "same-events"},
      {"the result is another value",
       kChain,
       {{0, "b8 07 00 00 00", "b8 08 00 00 00"}},
       "same-result"},
      {"the address of a map value is 8 bytes off",
       kCalls,
       {{0, "48 be f0", "48 be f8"}},
       "same-memory"},
      {"the address of a map value lies before the map",
       kCalls,
       {{0, "48 be f0", "48 be e8"}},
       "same-memory"},
      // ---- arm64 ----
      {"sp of a leaf is 8 modulo 16",
       kCalls,
       {{2, "ff 43 00 d1", "ff 63 00 d1"}, {2, "ff 43 00 91", "ff 63 00 91"}},  // 16: 24
       "sp-aligned-at-access",
       kArm64},
      {"x29 is not set up",
       kBare,
       {{1, "fd 03 00 91", "1f 20 03 d5"}},
       "fp-chain-matches-calls",
       kArm64},
      {"the record holds x29 twice",
       kBare,
       {{1, "fd 7b bf a9", "fd 77 bf a9"}},
       "fp-chain-matches-calls",
       kArm64},
      {"a store hits the record",  // str x10, [sp, #8]: [sp, #64]
       kCalls,
       {{0, "ea 07 00 f9", "ea 23 00 f9"}},
       "saved-slots-unwritten",
       kArm64},
      {"a store hits the return address",  // [sp, #72]
       kCalls,
       {{0, "ea 07 00 f9", "ea 27 00 f9"}},
       "return-address-intact",
       kArm64},
      {"a pair is popped in the other order",  // ldp x19, x20
       kCalls,
       {{1, "f3 53 c1 a8", "f4 4f c1 a8"}},
       "r6-r9-survive-calls",
       kArm64},
      {"a subprogram clobbers the register of the count",  // mov x9, x30: add x26, x26, #1
       kCalls,
       {{2, "c9 03 00 91", "5a 07 00 91"}},
       "callee-saved-preserved",
       kArm64},
      {"a tail call leaves the BPF stack",
       kChain,
       {{0, "ff 83 00 91", "1f 20 03 d5"}},
       "stack-growth-bounded",
       kArm64},
      {"the count is not stored",
       kTree,
       {{1, "4c 03 00 f9", "1f 20 03 d5"}},
       "tail-call-bound",
       kArm64},
      {"the result stays in x7", kBare, {{1, "e0 00 00 91", "1f 20 03 d5"}}, "same-events", kArm64},
      {"a call lands inside a function",
       kBare,
       {{0, "?? 00 00 94", "+1 ?? ?? ??"}},
       "lands-on-entry-or-return",
       kArm64},
      {"a tail call of a boundary leaves out x27 and x28",
       kChain,
       {{0, "fb 73 c1 a8", "1f 20 03 d5"}},
       "sp-balanced",
       kArm64Exceptions},
      {"a boundary pops x23 and x24 in the other order",
       kCalls,
       {{0, "f7 63 c1 a8", "f8 5f c1 a8"}},
       "callee-saved-preserved",
       kArm64Exceptions},
      {"a tail call does not pop the arena's register",
       kChain,
       {{0, "fc 7f c1 a8", "1f 20 03 d5"}},
       "stack-growth-bounded",
       kArm64Arena},
      {"a tail call drops the arena's register",  // ldp xzr, x10
       kChain,
       {{0, "fc 7f c1 a8", "ff 2b c1 a8"}},
       "callee-saved-preserved",
       kArm64Arena},
      {"the JIT writes right above its entry",  // mov x7, #5: str x7, [x29, #16]
       kRoom,
       {{0, "a7 00 80 d2", "a7 0b 00 f9"}},
       "caller-stack-unwritten",
       kArm64},
      {"the JIT writes far above its entry",  // [x29, #528]
       kRoom,
       {{0, "a7 00 80 d2", "a7 0b 01 f9"}},
       "caller-stack-unwritten",
       kArm64},
      {"the JIT writes over the BPF stack",  // [sp, #8]
       kRoom,
       {{0, "a7 00 80 d2", "e7 07 00 f9"}},
       "stores-are-accounted-for",
       kArm64},
      {"the JIT writes over the count",  // [x26]
       kCountRoom,
       {{0, "a7 00 80 d2", "47 03 00 f9"}},
       "tail-call-counter-intact",
       kArm64},
      // ---- riscv64 ----
      {"the JIT writes right above its entry",  // li a5, 5: sd a5, 0(s0)
       kRoom,
       {{0, "93 07 50 00", "23 30 f4 00"}},
       "caller-stack-unwritten",
       kRiscv64},
      {"the JIT writes far above its entry",  // 512(s0)
       kRoom,
       {{0, "93 07 50 00", "23 30 f4 20"}},
       "caller-stack-unwritten",
       kRiscv64},
      {"the JIT writes over the BPF stack",  // -8(s5)
       kRoom,
       {{0, "93 07 50 00", "23 bc fa fe"}},
       "stores-are-accounted-for",
       kRiscv64},
      {"s5 is not restored",  // ld s5
       kCalls,
       {{1, "83 3a ?? ??", "13 00 00 00"}},
       "r10-stable",
       kRiscv64},
      {"a tail call does not restore the arena's register",  // ld s7
       kChain,
       {{0, "83 3b ?? ??", "13 00 00 00"}},
       "callee-saved-preserved",
       kRiscv64Arena},
      {"the arena's register is not saved",  // sd s7
       kBare,
       {{1, "23 ?? 71 01 ?? 04", "13 00 00 00 ?? ??"}},
       "callee-saved-preserved",
       kRiscv64Arena},
      {"the return address is not saved",  // sd ra, 8(sp)
       kBare,
       {{1, "23 34 11 00", "13 00 00 00"}},
       "fp-chain-matches-calls",
       kRiscv64},
      {"s0 is not set up",
       kBare,
       {{1, "13 04 01 01", "13 00 00 00"}},
       "fp-chain-matches-calls",
       kRiscv64},
      {"a store of a leaf hits the saved s0",  // sd t1, -8(s5): 8(s5)
       kCalls,
       {{2, "23 bc 6a fe", "23 b4 6a 00"}},
       "saved-slots-unwritten",
       kRiscv64},
      {"s1 is not restored",
       kCalls,
       {{1, "83 34 81 02", "13 00 00 00"}},
       "r6-r9-survive-calls",
       kRiscv64},
      {"a leaf leaves its frame",
       kCalls,
       {{2, "13 01 01 02", "13 00 00 00"}},
       "sp-balanced",
       kRiscv64},
      {"34 tail calls are allowed",
       kChain,
       {{0, "13 08 10 02", "13 08 20 02"}},
       "tail-call-bound",
       kRiscv64},
      {"the result stays in a5",
       kChain,
       {{0, "1b 85 07 00", "13 00 00 00"}},
       "same-result",
       kRiscv64},
      // ---- throws ----
      {"a subprogram that throws has no frame of its own",  // mov rbp, rsp
       kThrow,
       {{1, "48 89 e5", "0f 1f 00"}},
       "throw-reaches-boundary",
       kPlain},
      {"the callback pops from 8 bytes below",  // lea rsp, [rsi - 8] for mov rsp, rsi
       kThrow,
       {{2, "0f 1f 00 48 89 f4 48 89 d5", "48 8d 66 f8 48 89 d5 66 90"}},
       "boundary-sp-matches",
       kPlain,
       Depth::kFull},
      {"the callback keeps the frame pointer of C code",  // mov rbp, rdx
       kThrow,
       {{2, "48 89 d5", "0f 1f 00"}},
       "callback-frame-valid",
       kPlain,
       Depth::kFull},
      {"the callback pops r14 before r15",
       kThrow,
       {{2, "41 5f 41 5e", "41 5e 41 5f"}},
       "throw-restores-callee-saved",
       kPlain},
      // ---- walks along the stack ----
      {"the frame pointer points 8 bytes higher for one instruction",
       kDead,
       {{1, "41 bd 46 00 00 00 41 be 50 00 00 00", "48 83 c5 08 48 83 ed 08 0f 1f 40 00"}},
       "unwind-matches-shadow-stack",
       kPlain,
       Depth::kInterrupts},
      {"the frame pointer is odd for one instruction",
       kDead,
       {{1, "41 bd 46 00 00 00 41 be 50 00 00 00", "48 8d 6d 02 48 8d 6d fe 0f 1f 40 00"}},
       "unwind-matches-shadow-stack",
       kPlain,
       Depth::kInterrupts},
      {"the frame pointer is the caller's for one instruction",  // push, mov rbp, [rbp], pop
       kDead,
       {{1, "41 bd 46 00 00 00 41 be 50 00 00 00", "55 48 8b 6d 00 5d 66 0f 1f 44 00 00"}},
       "unwind-matches-shadow-stack",
       kPlain,
       Depth::kInterrupts},
      {"the stack pointer is 0 for one instruction",
       kDead,
       {{1, "41 bd 46 00 00 00 41 be 50 00 00 00", "49 89 e2 31 e4 4c 89 d4 0f 1f 40 00"}},
       "interrupt-frame-found",
       kPlain,
       Depth::kInterrupts},
      {"the frame pointer is said to be valid in the prologue",
       kCalls,
       {},
       "claims-hold",
       kPlain,
       Depth::kFull,
       [](Image& image) {
         for (NativeFunction& function : image.functions) function.fp_end = function.size;
       }},
      {"the frame pointer is said to be valid nowhere",
       kCalls,
       {},
       "claims-hold",
       kPlain,
       Depth::kFull,
       [](Image& image) {
         for (NativeFunction& function : image.functions) function.fp_begin = function.size;
       }},
      {"the fallback of ORC is trusted",
       kCalls,
       {},
       "unwind-never-wrong-when-reliable",
       kPlain,
       Depth::kInterrupts,
       nullptr,
       "unwinder-fallback-trusted"},
      {"the mark of an interrupt is not looked for",
       kCalls,
       {},
       "interrupt-frame-found",
       kPlain,
       Depth::kInterrupts,
       nullptr,
       "unwinder-mark-not-looked-for"},
      {"the registers of an interrupt are not read",
       kCalls,
       {},
       "interrupt-frame-found",
       kArm64,
       Depth::kInterrupts,
       nullptr,
       "unwinder-registers-not-read"},
      {"walks lead back to where they have been",
       kCalls,
       {},
       "unwinder-terminates",
       kRiscv64,
       Depth::kInterrupts,
       nullptr,
       "unwinder-goes-downwards"},
  };
  return rows;
}

}  // namespace plumb::harness
