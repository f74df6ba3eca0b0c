/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel/bpf/core.c as the kernel tree has it: program allocation, the pack allocator, constant
 * blinding, kallsyms and the weak defaults of what a JIT may support.
 */
#include "kernel/bpf/core.c"

#include "glue/kernel.h"

void plumb_core_init(void) {
  bpf_jit_enable = 1;
  bpf_jit_kallsyms = 1;
  bpf_jit_harden = 0;
  bpf_jit_limit = LONG_MAX;
}

/* After a load that was given up half-way: nothing is loaded any more, so forget what was. */
void plumb_core_reset(void) {
  INIT_LIST_HEAD(&pack_list);
  INIT_LIST_HEAD(&bpf_kallsyms);
  bpf_tree.first = NULL;
  bpf_jit_current.counter = 0;
}
