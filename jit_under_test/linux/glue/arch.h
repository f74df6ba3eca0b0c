/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an architecture's part (shim/ARCH/jit.c) tells the rest of the plugin. Kernel side. */
#ifndef PLUMB_GLUE_ARCH_H
#define PLUMB_GLUE_ARCH_H

#include "glue/variant.h"
#include "jit_under_test/plugin.h"

struct bpf_prog;

/* Whether an attempt at an empty slot counts, as the tree's text has it (cmake/, enum
 * plumb_answer): trees differ, and where the text does not say nobody knows. */
#define PLUMB_EMPTY_SLOT_ANSWER                    \
  (PLUMB_TREE_EMPTY_SLOT_COUNTS == 1   ? PLUMB_YES \
   : PLUMB_TREE_EMPTY_SLOT_COUNTS == 0 ? PLUMB_NO  \
                                       : PLUMB_UNKNOWN)

struct plumb_arch_facts {
  u32 arch; /* enum plumb_arch */
  const char* name;
  u8 call_alignment, result_bits, frame_rounding;
  u8 bpf_register[11]; /* PLUMB_REGISTER(hardware number); 0: unknown */
  u8 frame_pointer;
  s32 r10_bias;
  u8 calls_keep_count, count_in_frames; /* 0 or 1 */
  u8 has_poke;                          /* direct tail calls: constant map, constant key */
  u32 tail_call_offset;                 /* where a tail call lands, from bpf_func on */
  u8 landing_pad;                       /* enum plumb_landing_pad */
  u8 signs_return_addresses;            /* 0 or 1 */
};
extern const struct plumb_arch_facts plumb_arch_facts;

/* Called once, before anything is compiled: sets up what plumb_variant switches on. free_base is
 * the first address of the arena that nobody uses; returns how many bytes of it are taken for
 * thunks, whole pages. */
u32 plumb_arch_open(u64 arena_base, u64 free_base);

/* The thunks that native code goes through, in the arena: sets *symbols, returns how many. */
u32 plumb_arch_thunks(const struct plumb_symbol** symbols);

/* Bytes in front of bpf_func that belong to the function (CFI): the JIT's offsets count them. */
u32 plumb_arch_preamble(void);

/* How far below bpf_func the four bytes of its CFI hash stand (0: there is none, -1: the tree does
 * not say), and what the shim says that they are. */
struct plumb_arch_cfi {
  int hash_below;
  u32 hash_of_program, hash_of_callback;
};
struct plumb_arch_cfi plumb_arch_cfi(void);

/* Bytes of BPF stack in the frame of a function whose verifier-computed depth is depth. */
u32 plumb_arch_stack_size(u32 depth);

/* Native offset of the first instruction; insn_to_end is what the JIT hands to
 * bpf_prog_fill_jited_linfo(): where the code of each instruction ends. */
u32 plumb_arch_body_start(const struct bpf_prog* prog, const u32* insn_to_end);

/* Called by the JIT in place of bpf_prog_fill_jited_linfo(). */
void plumb_fill_offsets(struct bpf_prog* prog, const u32* insn_to_end);

#endif
