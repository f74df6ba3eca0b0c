/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What arch/x86/net/bpf_jit_comp.c expects of the rest of arch/x86. CPU features and mitigations
 * are variables, so that one build can stand for several machines; the default is a machine
 * without any of them. What changes structures or is decided by the preprocessor stays a macro.
 */
#ifndef PLUMB_ARCH_H
#define PLUMB_ARCH_H

#include "plumb_functions.h"

#define CONFIG_X86 1
#define CONFIG_X86_64 1
#define CONFIG_UNWINDER_ORC 1

/* These two look at the configuration. */
#include <asm/extable_fixup_types.h>
#include <asm/nops.h>

struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
  unsigned long orig_ax, ip, cs, flags, sp, ss;
};

struct exception_table_entry {
  int insn, fixup, data;
};

/* Bits of plumb_x86.features; the numbers are ours. */
enum plumb_x86_feature {
  X86_FEATURE_BMI2,
  X86_FEATURE_XMM2,
  X86_FEATURE_RETPOLINE,
  X86_FEATURE_RETPOLINE_LFENCE,
  X86_FEATURE_INDIRECT_THUNK_ITS,
  X86_FEATURE_CALL_DEPTH,
  X86_FEATURE_CLEAR_BHB_LOOP,
  X86_FEATURE_CLEAR_BHB_HW,
  X86_FEATURE_HYPERVISOR
};

#define RETPOLINE_THUNK_SIZE 32
typedef u8 retpoline_thunk_t[RETPOLINE_THUNK_SIZE];

struct plumb_x86 {
  u64 features;           /* 1 << enum plumb_x86_feature */
  bool rethunk;           /* return through return_thunk */
  unsigned long user_end; /* TASK_SIZE_MAX: loads below it are refused by PROBE_MEM */
  void* return_thunk;     /* these three: addresses in the arena; thunks.c */
  void* clear_bhb;
  retpoline_thunk_t* indirect_thunks;
};
extern struct plumb_x86 plumb_x86;

/* thunks.c: places the thunks that plumb_variant needs, from the address on, and returns how many
 * bytes they take, whole pages. */
u32 plumb_x86_place_thunks(u64 address, retpoline_thunk_t** indirect, void** back);
/* Offset of the call depth in per-CPU data. */
#define PLUMB_X86_CALL_DEPTH 0x10

#define cpu_feature_enabled(bit) ((plumb_x86.features >> (bit)) & 1)
#define boot_cpu_has(bit) cpu_feature_enabled(bit)
#define static_cpu_has(bit) cpu_feature_enabled(bit)
#define cpu_wants_rethunk() plumb_x86.rethunk
#define x86_return_thunk plumb_x86.return_thunk
#define __x86_indirect_thunk_array plumb_x86.indirect_thunks
#define __x86_indirect_call_thunk_array plumb_x86.indirect_thunks
#define __x86_indirect_jump_thunk_array plumb_x86.indirect_thunks
#define its_static_thunk(reg) ((void*)&plumb_x86.indirect_thunks[reg])
#define clear_bhb_loop plumb_x86.clear_bhb
#define x86_call_depth_emit_accounting(code, target, ip) plumb_x86_call_depth(code, ip)
int plumb_x86_call_depth(u8** code, void* ip);

#define TASK_SIZE_MAX plumb_x86.user_end
#define TASK_SIZE TASK_SIZE_MAX
#define VSYSCALL_ADDR (-10UL << 20)

/* Indirect branch tracking is a build with CONFIG_X86_KERNEL_IBT, control-flow integrity one with
 * CONFIG_CFI_CLANG and a cfi_mode. */
enum cfi_mode { CFI_AUTO, CFI_OFF, CFI_KCFI, CFI_FINEIBT };
extern enum cfi_mode cfi_mode;
#include "plumb_cfi.h"
#define cfi_get_offset() plumb_x86_cfi_offset()
int plumb_x86_cfi_offset(void);
#define cfi_get_func_arity(f) 0
#define __bpfcall
#define CONFIG_FUNCTION_PADDING_CFI 11
/* Since 6.16 bhi checks may be part of FineIBT (CONFIG_FINEIBT_BHI): not of ours. */
#define cfi_bhi false
extern u8 __bhi_args[][32];
#ifdef CONFIG_X86_KERNEL_IBT
#define ENDBR_INSN_SIZE 4
static inline u32 gen_endbr(void) { return 0xfa1e0ff3; }
static inline u32 gen_endbr_poison(void) { return 0x001f0f66; }
static inline bool plumb_is_endbr(u32 word) {
  return word == gen_endbr() || word == gen_endbr_poison();
}
/* Of the word itself, or (since 6.15) of where it stands. */
#define is_endbr(word) \
  plumb_is_endbr(_Generic((word), u32: (word), default: *(const u32*)(unsigned long)(word)))
#else
#define ENDBR_INSN_SIZE 0
#define is_endbr(word) false
#endif

/* Text patching: glue/text.c applies or records. */
extern struct mutex text_mutex;
void plumb_text_write(void* to, const void* from, size_t size);
void* plumb_text_copy(void* to, const void* from, size_t size);
void* plumb_text_set(void* to, int byte, size_t size);
#define text_poke_bp(to, from, size, handler) plumb_text_write(to, from, size)
#define smp_text_poke_single(to, from, size, handler) plumb_text_write(to, from, size)
#define text_poke_copy(to, from, size) plumb_text_copy(to, from, size)
#define text_poke_set(to, byte, size) plumb_text_set(to, byte, size)
#define is_kernel_text(a) false

/* The stack walk of bpf_throw: programs that throw are not taken yet. */
struct unwind_state {
  unsigned long sp, bp;
};
#define unwind_start(state, task, regs, frame) ((state)->sp = (state)->bp = 0)
#define unwind_done(state) true
#define unwind_next_frame(state) false
#define unwind_get_return_address(state) 0ul

extern unsigned long this_cpu_off;
#define sort(base, count, size, compare, swapper) BUG()
#define ftrace_location(ip) 0ul
#define _ASM_EXTABLE_TYPE(...)
#define _ASM_BYTES(...)

#endif
