/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The riscv64 JIT, as the kernel tree has it, and the constants of it that the glue needs.
 * plumb_fill_offsets(): see shim/x86_64/jit.c.
 */
#include <linux/bpf.h>
#include <linux/filter.h>

#include "bpf_jit_comp64.c"
#include "glue/arch.h"
#define bpf_prog_fill_jited_linfo plumb_fill_offsets
#include "bpf_jit_core.c"
#undef bpf_prog_fill_jited_linfo

struct plumb_riscv plumb_riscv;
struct mutex text_mutex;
int riscv_patch_in_stop_machine;
unsigned long __per_cpu_offset[1];

/* A tail call skips the patch site (since 6.2) and the instruction that loads the count. The hash
 * of kCFI stands in front of bpf_func. */
#if defined(RV_TAILCALL_OFFSET)
enum { kTailCallOffset = RV_TAILCALL_OFFSET };
#elif defined(RV_FENTRY_NINSNS)
enum { kTailCallOffset = (RV_FENTRY_NINSNS + 1) * 4 };
#else
enum { kTailCallOffset = 4 };
#endif

/* The count goes down in a6 before the slot is read. A program that calls anything keeps it in s6,
 * where a refused attempt does not reach it. */
#if defined(RV_REG_TCC_SAVED)
enum { kCallsKeepCount = 1 };
#else
enum { kCallsKeepCount = 0 };
#endif

const struct plumb_arch_facts plumb_arch_facts = {
    .arch = PLUMB_ARCH_RISCV64,
    .name = "riscv64",
    .call_alignment = 16,
    /* The epilogue sign-extends the lower half of R0 into a0: programs return an int. */
    .result_bits = 32,
    .frame_rounding = 16,
    /* regmap[] of the JIT: a5, a0-a4, s1-s5. Written out, because contracts must not follow the
     * code that they judge. */
    .bpf_register = {PLUMB_REGISTER(15), PLUMB_REGISTER(10), PLUMB_REGISTER(11), PLUMB_REGISTER(12),
                     PLUMB_REGISTER(13), PLUMB_REGISTER(14), PLUMB_REGISTER(9), PLUMB_REGISTER(18),
                     PLUMB_REGISTER(19), PLUMB_REGISTER(20), PLUMB_REGISTER(21)},
    .frame_pointer = 8,
    .calls_keep_count = kCallsKeepCount,
    .count_in_frames = PLUMB_TREE_COUNT_IN_FRAMES,
    .tail_call_offset = kTailCallOffset,
    .landing_pad = PLUMB_LANDING_PAD_NONE,
};

u32 plumb_arch_open(u64 arena_base, u64 free_base) {
  (void)arena_base;
  (void)free_base;
  return 0;
}

u32 plumb_arch_thunks(const struct plumb_symbol** symbols) {
  *symbols = NULL;
  return 0;
}

u32 plumb_arch_preamble(void) { return cfi_get_offset(); }

struct plumb_arch_cfi plumb_arch_cfi(void) {
  const struct plumb_arch_cfi cfi = {cfi_get_offset(), cfi_bpf_hash, cfi_bpf_subprog_hash};
  return cfi;
}

unsigned int plumb_arch_stack_size(unsigned int depth) { return round_up(depth, 16); }

/* The JIT's table has no entry for the prologue, but its context still lives. */
unsigned int plumb_arch_body_start(const struct bpf_prog* prog, const unsigned int* insn_to_end) {
  const struct rv_jit_data* data = prog->aux->jit_data;
  (void)insn_to_end;
  return ninsns_rvoff(data->ctx.prologue_len);
}
