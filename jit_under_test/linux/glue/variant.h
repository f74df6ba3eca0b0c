/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tells the plugins of one tree and architecture apart: their names, and the switches that a
 * running kernel has beside its configuration. The only file that is compiled for each plugin is
 * variant.c. Plain C types: for both sides.
 */
#ifndef PLUMB_GLUE_VARIANT_H
#define PLUMB_GLUE_VARIANT_H

/* The last column but one of shim/ARCH/variants.txt. */
enum plumb_switch {
  PLUMB_SWITCH_NONE = 0,
  PLUMB_SWITCH_BLINDING = 1u << 0,    /* net.core.bpf_jit_harden: constants are blinded */
  PLUMB_SWITCH_RETPOLINE = 1u << 1,   /* x86: indirect jumps through __x86_indirect_thunk_* */
  PLUMB_SWITCH_RETHUNK = 1u << 2,     /* x86: returns through __x86_return_thunk */
  PLUMB_SWITCH_CALL_DEPTH = 1u << 3,  /* x86: retbleed=stuff */
  PLUMB_SWITCH_ITS = 1u << 4,         /* x86: indirect jumps through __x86_indirect_its_thunk_* */
  PLUMB_SWITCH_KCFI = 1u << 5,        /* x86: cfi=kcfi */
  PLUMB_SWITCH_FINEIBT = 1u << 6,     /* x86: cfi=fineibt */
  PLUMB_SWITCH_LSE = 1u << 7,         /* arm64: the CPU has LSE atomics */
  PLUMB_SWITCH_EXCEPTIONS = 1u << 8,  /* every main program is an exception boundary */
  PLUMB_SWITCH_ARENA = 1u << 9,       /* every program has an arena map */
  PLUMB_SWITCH_LFENCE = 1u << 10,     /* x86: lfence in front of indirect jumps */
  PLUMB_SWITCH_BMI2 = 1u << 11,       /* x86: the CPU has BMI2 */
  PLUMB_SWITCH_FAR_HELPERS = 1u << 12 /* riscv: helpers are out of reach of a jump */
};

struct plumb_variant {
  const char *name, *version, *origin; /* as in struct plumb_plugin_info */
  unsigned long long arena_base, arena_size;
  unsigned int switches; /* or of enum plumb_switch */
};
extern const struct plumb_variant plumb_variant;

#endif
