/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an architecture's part (shim/ARCH/jit.c) tells the rest of the plugin. Kernel side. */
#ifndef PLUMB_GLUE_ARCH_H
#define PLUMB_GLUE_ARCH_H

#include "jit_under_test/plugin.h"

struct bpf_prog;

struct plumb_arch_facts {
  u32 arch; /* enum plumb_arch */
  const char* name;
  u8 call_alignment, result_bits, frame_rounding;
  u8 bpf_register[11];
  u8 frame_pointer;
  s32 r10_bias;
  u8 empty_slot_consumes_count, calls_keep_count;
  u8 has_poke;          /* direct tail calls: constant map, constant key */
  u32 tail_call_offset; /* where a tail call lands, from bpf_func on */
};
extern const struct plumb_arch_facts plumb_arch_facts;

/* Called once, with the arena's place, before anything is compiled. */
void plumb_arch_open(u64 arena_base);

/* Bytes of BPF stack in the frame of a function whose verifier-computed depth is depth. */
u32 plumb_arch_stack_size(u32 depth);

/* Native offset of the first instruction; insn_to_end is what the JIT hands to
 * bpf_prog_fill_jited_linfo(): where the code of each instruction ends. */
u32 plumb_arch_body_start(const struct bpf_prog* prog, const u32* insn_to_end);

/* Called by the JIT in place of bpf_prog_fill_jited_linfo(). */
void plumb_fill_offsets(struct bpf_prog* prog, const u32* insn_to_end);

#endif
