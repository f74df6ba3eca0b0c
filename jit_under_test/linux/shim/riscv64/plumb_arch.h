/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What arch/riscv/net/bpf_jit_comp64.c and bpf_jit_core.c expect of the rest of arch/riscv. The
 * default is RV64IMA without compressed instructions. Extensions are a build with
 * CONFIG_RISCV_ISA_C, or CONFIG_RISCV_ISA_ZBA and _ZBB and a bit of plumb_riscv.extensions; kCFI is
 * a build with CONFIG_CFI_CLANG (since 6.18: CONFIG_CFI).
 */
#ifndef PLUMB_ARCH_H
#define PLUMB_ARCH_H

#include "plumb_functions.h"

#define CONFIG_RISCV 1
#define CONFIG_FRAME_POINTER 1
#define __riscv_xlen 64
#define STACK_ALIGN 16

#include <asm/asm-extable.h>

struct pt_regs {
  unsigned long epc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
  unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
};
struct thread_info {
  int cpu;
};
struct exception_table_entry {
  int insn, fixup;
  short type, data;
};

/* Bits of plumb_riscv.extensions; the numbers are ours. */
enum plumb_riscv_extension { RISCV_ISA_EXT_ZBA, RISCV_ISA_EXT_ZBB, RISCV_ISA_EXT_ZACAS };

struct plumb_riscv {
  u64 extensions; /* 1 << enum plumb_riscv_extension */
};
extern struct plumb_riscv plumb_riscv;

#define riscv_has_extension_likely(bit) ((plumb_riscv.extensions >> (bit)) & 1)
#define riscv_has_extension_unlikely(bit) riscv_has_extension_likely(bit)

#include "plumb_cfi.h"
#define cfi_get_offset() PLUMB_CFI_WORD

#define BPF_JIT_REGION_START plumb_arena_begin
#define BPF_JIT_REGION_END plumb_arena_end
#define BPF_JIT_REGION_SIZE (BPF_JIT_REGION_END - BPF_JIT_REGION_START)
#define PAGE_KERNEL 0

/* Per-CPU addresses are computed by instructions that only the verifier makes. */
extern unsigned long __per_cpu_offset[1];

/* Text patching: glue/text.c applies or records. */
void plumb_text_write(void* to, const void* from, size_t size);
void* plumb_text_copy(void* to, const void* from, size_t size);
void* plumb_text_set(void* to, int byte, size_t size);
#define patch_text(to, insns, size) (plumb_text_write(to, insns, size), 0)
#define patch_text_nosync(to, from, size) (plumb_text_copy(to, from, size), 0)
#define patch_text_set_nosync(to, byte, size) (plumb_text_set(to, byte, size), 0)
extern struct mutex text_mutex;
extern int riscv_patch_in_stop_machine;
#define cpus_read_lock() \
  do {                   \
  } while (0)
#define cpus_read_unlock() \
  do {                     \
  } while (0)
#define is_kernel_text(a) false

#endif
