/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verifier notes about a program as a whole, and what changes the frames of its functions:
 * that it contains bpf_throw, that it has an arena map. A case says neither, a variant says it of
 * all programs. Nothing throws, and no instruction goes through the arena.
 */
#include "glue/kernel.h"

#if PLUMB_TREE_ARENA
/* Of kernel/bpf/arena.c the two addresses, which all arenas here share: where the kernel has its
 * memory (its lower half is not that of the user's address), and where the user does. */
struct bpf_arena {
  u64 kernel_start, user_start;
};

static struct bpf_arena the_arena = {0xffffc9000a5a8000ull, 0x00007f1200000000ull};

u64 bpf_arena_get_kern_vm_start(struct bpf_arena* arena) { return arena ? arena->kernel_start : 0; }
u64 bpf_arena_get_user_vm_start(struct bpf_arena* arena) { return arena ? arena->user_start : 0; }
#endif

/* As jit_subprogs() does: the arena is the whole program's, the boundary its main function. A
 * program that throws always has a second function, its exception callback; here it may lack one.
 */
void plumb_set_program_kind(struct bpf_prog_aux* aux) {
  (void)aux;
#if PLUMB_TREE_EXCEPTIONS
  if (plumb_variant.switches & PLUMB_SWITCH_EXCEPTIONS)
    aux->exception_boundary = aux->func_idx == 0;
#endif
#if PLUMB_TREE_ARENA
  if (plumb_variant.switches & PLUMB_SWITCH_ARENA) aux->arena = &the_arena;
#endif
}
