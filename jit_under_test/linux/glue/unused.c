/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rest of the kernel, as far as kernel/bpf/core.c and the JITs refer to it. No kernel headers
 * here: of most functions only the name matters, because no program of ours leads to a call.
 */
#include <stdbool.h>

__attribute__((noreturn)) void plumb_bug(const char* condition, const char* file, int line);

/* What is called for every program, and has nothing to do: no program of ours is tied to
 * struct_ops, has messages to itself, or an array of its instructions' addresses. */
void bpf_prog_disassoc_struct_ops(void* prog);
void bpf_prog_stream_free(void* prog);
void bpf_prog_stream_init(void* prog);
void bpf_prog_update_insn_ptrs(void* prog, unsigned int* offsets, void* image);
void bpf_token_put(void* token);
void bpf_free_kfunc_btf_tab(void* table);
bool bpf_token_capable(const void* token, int capability);
void bpf_prog_disassoc_struct_ops(void* prog) { (void)prog; }
void bpf_prog_stream_free(void* prog) { (void)prog; }
void bpf_prog_stream_init(void* prog) { (void)prog; }
void bpf_prog_update_insn_ptrs(void* prog, unsigned int* offsets, void* image) {
  (void)prog;
  (void)offsets;
  (void)image;
}
void bpf_token_put(void* token) { (void)token; }
void bpf_free_kfunc_btf_tab(void* table) { (void)table; }
bool bpf_token_capable(const void* token, int capability) {
  (void)token;
  (void)capability;
  return true;
}

/* What must not be called: a tree that gets there needs more of a kernel than this plugin is. */
#define PLUMB_NOT_HERE(function) \
  void function(void);           \
  void function(void) { plumb_bug("call of " #function "()", __FILE__, __LINE__); }

PLUMB_NOT_HERE(bpf_dup_insn_aux_data)
PLUMB_NOT_HERE(bpf_map_put)
PLUMB_NOT_HERE(bpf_patch_insn_data)
PLUMB_NOT_HERE(bpf_prog_dev_bound_destroy)
PLUMB_NOT_HERE(bpf_prog_has_kfunc_call)
PLUMB_NOT_HERE(bpf_prog_offload_compile)
PLUMB_NOT_HERE(bpf_prog_offload_destroy)
PLUMB_NOT_HERE(bpf_prog_put)
PLUMB_NOT_HERE(bpf_prog_report_arena_violation)
PLUMB_NOT_HERE(bpf_restore_insn_aux_data)
PLUMB_NOT_HERE(bpf_stream_stage_commit)
PLUMB_NOT_HERE(bpf_stream_stage_dump_stack)
PLUMB_NOT_HERE(bpf_stream_stage_free)
PLUMB_NOT_HERE(bpf_stream_stage_init)
PLUMB_NOT_HERE(bpf_stream_stage_printk)
PLUMB_NOT_HERE(bpf_tramp_arena_base)
PLUMB_NOT_HERE(bpf_trampoline_enter)
PLUMB_NOT_HERE(bpf_trampoline_exit)
PLUMB_NOT_HERE(bpf_trampoline_put)
PLUMB_NOT_HERE(btf_name_by_offset)
PLUMB_NOT_HERE(btf_put)
PLUMB_NOT_HERE(btf_type_by_id)
PLUMB_NOT_HERE(search_extable)
