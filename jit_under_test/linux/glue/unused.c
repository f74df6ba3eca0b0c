/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rest of the kernel, as far as kernel/bpf/core.c and the JITs refer to it. No kernel headers
 * here: of most functions only the name matters, because no program of ours leads to a call.
 */
#include <stdbool.h>

__attribute__((noreturn)) void plumb_bug(const char* condition, const char* file, int line);

/* What is called when a program is freed, and has nothing to do. */
void bpf_token_put(void* token);
void bpf_free_kfunc_btf_tab(void* table);
bool bpf_token_capable(const void* token, int capability);
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

PLUMB_NOT_HERE(bpf_get_kfunc_addr)
PLUMB_NOT_HERE(bpf_jit_find_kfunc_model)
PLUMB_NOT_HERE(bpf_map_put)
PLUMB_NOT_HERE(bpf_prog_dev_bound_destroy)
PLUMB_NOT_HERE(bpf_prog_has_kfunc_call)
PLUMB_NOT_HERE(bpf_prog_offload_compile)
PLUMB_NOT_HERE(bpf_prog_offload_destroy)
PLUMB_NOT_HERE(bpf_prog_put)
PLUMB_NOT_HERE(bpf_trampoline_enter)
PLUMB_NOT_HERE(bpf_trampoline_exit)
PLUMB_NOT_HERE(bpf_trampoline_put)
PLUMB_NOT_HERE(btf_name_by_offset)
PLUMB_NOT_HERE(btf_put)
PLUMB_NOT_HERE(btf_type_by_id)
PLUMB_NOT_HERE(search_extable)
