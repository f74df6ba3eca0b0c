/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What arch/arm64/net/bpf_jit_comp.c and arch/arm64/lib/insn.c expect of the rest of arch/arm64.
 * CPU capabilities are a variable, so that one build can stand for several machines; the default is
 * a machine without any of them. BTI and PAC are decided by the preprocessor: a variant with them
 * is a build with CONFIG_ARM64_BTI_KERNEL or CONFIG_ARM64_PTR_AUTH_KERNEL set to 1.
 */
#ifndef PLUMB_ARCH_H
#define PLUMB_ARCH_H

#include "plumb_functions.h"

#define CONFIG_ARM64 1
#define CONFIG_FRAME_POINTER 1
#define CONFIG_ARM64_LSE_ATOMICS 1 /* whether the CPU has them is ARM64_HAS_LSE_ATOMICS */

#define __kprobes
/* The JIT's file-scope assembly is AArch64 text; our own code says __asm__. */
#define asm(...)

/* The literal of a function's PLT: where the patch site leads while no trampoline is attached. The
 * kernel's is a function of three instructions. A pointer variable gives it a guest address: the
 * stub of helper 0, which nothing calls and the machine reports. */
#define dummy_tramp (*plumb_dummy_tramp)

struct pt_regs {
  u64 regs[31], sp, pc, pstate;
};
struct thread_info {
  unsigned int cpu;
};
struct exception_table_entry {
  int insn, fixup;
  short type, data;
};

/* Bits of plumb_arm64.capabilities; the numbers are ours. */
enum plumb_arm64_capability { ARM64_HAS_LSE_ATOMICS, ARM64_HAS_VIRT_HOST_EXTN, ARM64_HAS_SB };

struct plumb_arm64 {
  u64 capabilities; /* 1 << enum plumb_arm64_capability */
};
extern struct plumb_arm64 plumb_arm64;

#define cpus_have_cap(bit) ((plumb_arm64.capabilities >> (bit)) & 1)
#define alternative_has_cap_likely(bit) cpus_have_cap(bit)
#define alternative_has_cap_unlikely(bit) cpus_have_cap(bit)

#include "plumb_cfi.h"
#define cfi_get_offset() PLUMB_CFI_WORD

/* Branch history injection concerns programs converted from classic BPF: no mitigation here. */
enum { SPECTRE_UNAFFECTED, SPECTRE_MITIGATED, SPECTRE_VULNERABLE };
enum { SMCCC_CONDUIT_NONE, SMCCC_CONDUIT_SMC, SMCCC_CONDUIT_HVC };
#define ARM_SMCCC_ARCH_WORKAROUND_3 0x80003fff
#define SCOPE_SYSTEM 0
#define __nospectre_bhb true
#define arm64_get_spectre_v2_state() SPECTRE_UNAFFECTED
#define get_spectre_bhb_loop_value() 0
#define is_spectre_bhb_fw_mitigated() false
#define supports_clearbhb(scope) false
#define arm_smccc_1_1_get_conduit() SMCCC_CONDUIT_NONE

#define VMALLOC_START plumb_arena_begin
#define VMALLOC_END plumb_arena_end
#define kasan_reset_tag(address) (address)

/* Text patching: glue/text.c applies or records. */
void plumb_text_write(void* to, const void* from, size_t size);
void* plumb_text_copy(void* to, const void* from, size_t size);
#define is_kernel_text(a) false

#endif
