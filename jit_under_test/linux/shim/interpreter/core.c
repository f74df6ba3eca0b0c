/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel/bpf/core.c as the kernel tree has it, for its interpreter. */
#include "kernel/bpf/core.c"

#include "glue/interpreter.h"

void plumb_core_reset(void) {
  INIT_LIST_HEAD(&pack_list);
  INIT_LIST_HEAD(&bpf_kallsyms);
  bpf_tree.first = NULL;
}

/* By the entry for subprograms: that of main programs, bpf_func, returns an unsigned int, and we
 * want to see all of R0. Both have the one interpreter behind them. */
u64 plumb_interpret(const struct bpf_prog* prog, u64 context) {
  const u32 depth = max_t(u32, prog->aux->stack_depth, 1);
  return interpreters_args[round_up(depth, 32) / 32 - 1](context, 0, 0, 0, 0, prog->insnsi);
}

s32 plumb_call_distance(u64 (*function)(u64, u64, u64, u64, u64)) {
  return (s32)((char*)function - (char*)__bpf_call_base);
}
