/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control-flow integrity: fixed words as the hashes of the kernel's types, bpf_func_t and
 * bpf_callback_t. They stand in the code of a build with CONFIG_CFI (before 6.18:
 * CONFIG_CFI_CLANG), four bytes in front of functions but on x86-64. */
#ifndef PLUMB_CFI_H
#define PLUMB_CFI_H

#define cfi_bpf_hash 0x83059dfcu
#define cfi_bpf_subprog_hash 0xc94ca62cu
#define cfi_get_func_hash(function) 0u

#if defined(CONFIG_CFI_CLANG) || defined(CONFIG_CFI)
#define PLUMB_CFI_WORD 4
#else
#define PLUMB_CFI_WORD 0
#endif

#endif
