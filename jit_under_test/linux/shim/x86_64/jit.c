/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86-64 JIT, as the kernel tree has it, and the constants of it that the glue needs.
 *
 * bpf_prog_fill_jited_linfo() is the JIT's way to report where the code of each instruction ends;
 * the JIT's call is led to the glue, which takes the whole table.
 */
#include <linux/bpf.h>
#include <linux/filter.h>

#include "glue/arch.h"

#define bpf_prog_fill_jited_linfo plumb_fill_offsets
#include "bpf_jit_comp.c"
#undef bpf_prog_fill_jited_linfo

const unsigned char* const x86_nops[] = {
    NULL,
    (const unsigned char[]){BYTES_NOP1},
    (const unsigned char[]){BYTES_NOP2},
    (const unsigned char[]){BYTES_NOP3},
    (const unsigned char[]){BYTES_NOP4},
    (const unsigned char[]){BYTES_NOP5},
    (const unsigned char[]){BYTES_NOP6},
    (const unsigned char[]){BYTES_NOP7},
    (const unsigned char[]){BYTES_NOP8},
#ifdef BYTES_NOP9
    (const unsigned char[]){BYTES_NOP9},
    (const unsigned char[]){BYTES_NOP10},
    (const unsigned char[]){BYTES_NOP11},
#endif
};

/* User memory ends below the arena's addresses only when told so: 0 lets PROBE_MEM load anything.
 */
struct plumb_x86 plumb_x86;
enum cfi_mode cfi_mode = CFI_OFF;
struct mutex text_mutex;
unsigned long this_cpu_off;

const struct plumb_arch_facts plumb_arch_facts = {
    .arch = PLUMB_ARCH_X86_64,
    .name = "x86_64",
    .call_alignment = 8,
    .result_bits = 64,
    .frame_rounding = 8,
    /* reg2hex[] of the JIT, with bit 3 where is_ereg() holds: rax rdi rsi rdx rcx r8 rbx r13-r15
     * rbp. Written out, because contracts must not follow the code that they judge. */
    .bpf_register = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5},
    .frame_pointer = 5,
    /* Before the count moved behind a pointer (6.12), it was raised before the slot was read. */
    .empty_slot_consumes_count = !PLUMB_TREE_TAIL_CALL_COUNT_BY_POINTER,
    .tail_call_offset = X86_TAIL_CALL_OFFSET,
    .has_poke = 1,
};

void plumb_arch_open(u64 arena_base) { (void)arena_base; }

unsigned int plumb_arch_stack_size(unsigned int depth) { return round_up(depth, 8); }

/* insn_to_end[-1] is addrs[0]: the length of the prologue. */
unsigned int plumb_arch_body_start(const struct bpf_prog* prog, const unsigned int* insn_to_end) {
  (void)prog;
  return insn_to_end[-1];
}
