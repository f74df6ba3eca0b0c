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
enum cfi_mode cfi_mode = CFI_OFF; /* until plumb_arch_open() */
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
    .bpf_register = {PLUMB_REGISTER(0), PLUMB_REGISTER(7), PLUMB_REGISTER(6), PLUMB_REGISTER(2),
                     PLUMB_REGISTER(1), PLUMB_REGISTER(8), PLUMB_REGISTER(3), PLUMB_REGISTER(13),
                     PLUMB_REGISTER(14), PLUMB_REGISTER(15), PLUMB_REGISTER(5)},
    .frame_pointer = 5,
    .tail_call_offset = X86_TAIL_CALL_OFFSET,
    .has_poke = 1,
    .landing_pad =
        IS_ENABLED(CONFIG_X86_KERNEL_IBT) ? PLUMB_LANDING_PAD_ENDBR64 : PLUMB_LANDING_PAD_NONE,
};

static u64 feature_if(u32 on, enum plumb_x86_feature feature) { return on ? 1ull << feature : 0; }

static enum cfi_mode boot_cfi_mode(void) {
  if (plumb_variant.switches & PLUMB_SWITCH_FINEIBT) return CFI_FINEIBT;
  return plumb_variant.switches & PLUMB_SWITCH_KCFI ? CFI_KCFI : CFI_OFF;
}

/* What bugs.c and alternative.c of arch/x86 decide at boot. */
u32 plumb_arch_open(u64 arena_base, u64 free_base) {
  const u32 on = plumb_variant.switches;
  (void)arena_base;
  plumb_x86.features = feature_if(on & PLUMB_SWITCH_RETPOLINE, X86_FEATURE_RETPOLINE) |
                       feature_if(on & PLUMB_SWITCH_LFENCE, X86_FEATURE_RETPOLINE_LFENCE) |
                       feature_if(on & PLUMB_SWITCH_BMI2, X86_FEATURE_BMI2) |
                       feature_if(on & PLUMB_SWITCH_CALL_DEPTH, X86_FEATURE_CALL_DEPTH) |
                       feature_if(on & PLUMB_SWITCH_ITS, X86_FEATURE_INDIRECT_THUNK_ITS);
  plumb_x86.rethunk = on & PLUMB_SWITCH_RETHUNK;
  cfi_mode = boot_cfi_mode();
  return plumb_x86_place_thunks(free_base, &plumb_x86.indirect_thunks, &plumb_x86.return_thunk);
}

/* As the tree's asm/cfi.h: where bpf_func lies behind what emit_cfi() makes. */
int plumb_x86_cfi_offset(void) {
  switch (boot_cfi_mode()) {
    case CFI_FINEIBT:
      return 16;
    case CFI_KCFI:
      return IS_ENABLED(CONFIG_CALL_PADDING) ? 16 : 5;
    default:
      return 0;
  }
}

u32 plumb_arch_preamble(void) { return plumb_x86_cfi_offset(); }

/* Behind the opcode of "mov eax, hash", where compiled code has it for kCFI; in the preamble of
 * FineIBT where arch/x86/kernel/alternative.c puts it. */
struct plumb_arch_cfi plumb_arch_cfi(void) {
  const int at = boot_cfi_mode() == CFI_FINEIBT ? PLUMB_TREE_FINEIBT_HASH_AT : 1;
  struct plumb_arch_cfi cfi = {0, cfi_bpf_hash, cfi_bpf_subprog_hash};
  if (boot_cfi_mode() != CFI_OFF) cfi.hash_below = at == 0 ? -1 : plumb_x86_cfi_offset() - at;
  return cfi;
}

/* x86_call_depth_emit_accounting(): "sar qword gs:[call depth], 5" in front of a call, relative to
 * where the instruction will run. A call of a thunk counts as none, but no program makes one. */
int plumb_x86_call_depth(u8** code, void* ip) {
  u8 insn[] = {0x65, 0x48, 0xc1, 0x3d, 0, 0, 0, 0, 5};
  const s32 distance = (s32)(PLUMB_X86_CALL_DEPTH - ((long)ip + (long)sizeof(insn)));
  if (!cpu_feature_enabled(X86_FEATURE_CALL_DEPTH)) return 0;
  memcpy(insn + 4, &distance, sizeof(distance));
  memcpy(*code, insn, sizeof(insn));
  *code += sizeof(insn);
  return sizeof(insn);
}

unsigned int plumb_arch_stack_size(unsigned int depth) { return round_up(depth, 8); }

/* insn_to_end[-1] is addrs[0]: the length of the prologue. */
unsigned int plumb_arch_body_start(const struct bpf_prog* prog, const unsigned int* insn_to_end) {
  (void)prog;
  return insn_to_end[-1];
}
