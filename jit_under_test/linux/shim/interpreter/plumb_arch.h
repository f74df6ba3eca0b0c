/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kernel/bpf/core.c expects of an architecture, where no JIT is built: a kernel without
 * CONFIG_BPF_JIT_ALWAYS_ON, so that the interpreter is there.
 */
#ifndef PLUMB_ARCH_H
#define PLUMB_ARCH_H

#include "plumb_functions.h"

struct pt_regs {
  unsigned long ip;
};
struct exception_table_entry {
  int insn, fixup;
};

#define __annotate_jump_table
#define kmsan_unpoison_memory(address, size) \
  do {                                       \
  } while (0)

/* One thread: an atomic operation is any operation. */
#define PLUMB_FETCH(cell, expression)                    \
  ({                                                     \
    typeof((cell)->counter) plumb_old = (cell)->counter; \
    (cell)->counter = (expression);                      \
    plumb_old;                                           \
  })
#define atomic_fetch_add(v, cell) PLUMB_FETCH(cell, plumb_old + (v))
#define atomic_fetch_and(v, cell) PLUMB_FETCH(cell, plumb_old&(v))
#define atomic_fetch_or(v, cell) PLUMB_FETCH(cell, plumb_old | (v))
#define atomic_fetch_xor(v, cell) PLUMB_FETCH(cell, plumb_old ^ (v))
#define atomic_xchg(cell, v) PLUMB_FETCH(cell, (v))
#define atomic_cmpxchg(cell, expected, v) \
  PLUMB_FETCH(cell, plumb_old == (typeof(plumb_old))(expected) ? (v) : plumb_old)
#define atomic64_fetch_add atomic_fetch_add
#define atomic64_fetch_and atomic_fetch_and
#define atomic64_fetch_or atomic_fetch_or
#define atomic64_fetch_xor atomic_fetch_xor
#define atomic64_xchg atomic_xchg
#define atomic64_cmpxchg atomic_cmpxchg
#define atomic_add(v, cell) ((void)atomic_fetch_add(v, cell))
#define atomic_and(v, cell) ((void)atomic_fetch_and(v, cell))
#define atomic_or(v, cell) ((void)atomic_fetch_or(v, cell))
#define atomic_xor(v, cell) ((void)atomic_fetch_xor(v, cell))
#define atomic64_add atomic_add
#define atomic64_and atomic_and
#define atomic64_or atomic_or
#define atomic64_xor atomic_xor

#endif
