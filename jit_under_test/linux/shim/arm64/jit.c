/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arm64 JIT, as the kernel tree has it, its instruction encoders, and the constants of it that
 * the glue needs. plumb_fill_offsets(): see shim/x86_64/jit.c.
 *
 * Addresses that the plugin reports, and pointers in program objects and arrays, are host
 * addresses: the low alias. What the JIT loads with emit_addr_mov_i64() (targets of calls that are
 * not direct, addresses of functions) has the top 16 bits set, as kernel addresses do: native code
 * calls, returns and runs in either alias, 0xffff000000000000 | address being the same memory.
 */
#include <linux/bpf.h>
#include <linux/filter.h>

#include "glue/arch.h"

#define bpf_prog_fill_jited_linfo plumb_fill_offsets
#include "bpf_jit_comp.c"
#undef bpf_prog_fill_jited_linfo

#include "arch/arm64/lib/insn.c"

struct plumb_arm64 plumb_arm64;

u32 plumb_arch_open(u64 arena_base, u64 free_base) {
  (void)free_base;
  plumb_dummy_tramp = (void (*)(void))arena_base;
  if (plumb_variant.switches & PLUMB_SWITCH_LSE)
    plumb_arm64.capabilities |= 1u << ARM64_HAS_LSE_ATOMICS;
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

/* asm/patching.h */
int aarch64_insn_read(void* address, u32* insn) {
  memcpy(insn, address, sizeof(*insn));
  return 0;
}

int aarch64_insn_patch_text_nosync(void* address, u32 insn) {
  plumb_text_write(address, &insn, sizeof(insn));
  return 0;
}

int aarch64_insn_write_literal_u64(void* address, u64 value) {
  plumb_text_write(address, &value, sizeof(value));
  return 0;
}

void* aarch64_insn_copy(void* to, void* from, size_t size) {
  return plumb_text_copy(to, from, size);
}

void* aarch64_insn_set(void* to, u32 insn, size_t size) {
  u32* word = to;
  for (size_t i = 0; i < size / sizeof(insn); i++) word[i] = insn;
  return to;
}

/* x7 up to 7.0; since x5 to x7 carry arguments it is x8. */
enum {
  kRegisterOfR0 = PLUMB_TREE_R0_IS_X7   ? PLUMB_REGISTER(7)
                  : PLUMB_TREE_R0_IS_X8 ? PLUMB_REGISTER(8)
                                        : 0 /* unknown */
};

const struct plumb_arch_facts plumb_arch_facts = {
    .arch = PLUMB_ARCH_ARM64,
    .name = "arm64",
    .call_alignment = 16,
    .result_bits = 64,
    .frame_rounding = 16,
    /* bpf2a64[] of the JIT. Written out, because contracts must not follow the code that they
     * judge. */
    .bpf_register = {kRegisterOfR0, PLUMB_REGISTER(0), PLUMB_REGISTER(1), PLUMB_REGISTER(2),
                     PLUMB_REGISTER(3), PLUMB_REGISTER(4), PLUMB_REGISTER(19), PLUMB_REGISTER(20),
                     PLUMB_REGISTER(21), PLUMB_REGISTER(22), PLUMB_REGISTER(25)},
    .frame_pointer = 29,
    .tail_call_offset = PROLOGUE_OFFSET * AARCH64_INSN_SIZE,
    .landing_pad =
        IS_ENABLED(CONFIG_ARM64_BTI_KERNEL) ? PLUMB_LANDING_PAD_BTI : PLUMB_LANDING_PAD_NONE,
    .signs_return_addresses = IS_ENABLED(CONFIG_ARM64_PTR_AUTH_KERNEL),
};

unsigned int plumb_arch_stack_size(unsigned int depth) { return round_up(depth, 16); }

/* insn_to_end[-1] is offset[0]: the length of the prologue. */
unsigned int plumb_arch_body_start(const struct bpf_prog* prog, const unsigned int* insn_to_end) {
  (void)prog;
  return insn_to_end[-1];
}
