/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that throw, as the verifier hands them to the JIT: check_kfunc_call(), jit_subprogs()
 * and add_hidden_subprog() of kernel/bpf/verifier.c. The host brings every program's exception
 * callback, the default one too.
 */
#include "glue/kernel.h"

bool plumb_is_throw(const struct bpf_insn* insn) {
  return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL;
}

bool plumb_throws(const struct plumb_program* program) {
  for (u32 f = 0; f < program->function_count; f++) {
    const struct plumb_function* function = plumb_function_at(program, f);
    for (u32 i = 0; i < function->insn_count; i++)
      if (plumb_is_throw((const struct bpf_insn*)function->insns + i)) return true;
  }
  return false;
}

u32 plumb_exception_callback(const struct plumb_program* program) {
  for (u32 f = 1; f < program->function_count; f++)
    if (plumb_function_at(program, f)->flags & PLUMB_FUNCTION_EXCEPTION_CALLBACK) return f;
  return 0;
}

/* The number of a kfunc is how far its code is from __bpf_call_base, on every architecture: only
 * JITs whose calls reach everywhere ask for its address. */
int bpf_get_kfunc_addr(const struct bpf_prog* prog, u32 func_id, u16 btf_fd_idx, u8** func_addr);
int bpf_get_kfunc_addr(const struct bpf_prog* prog, u32 func_id, u16 btf_fd_idx, u8** func_addr) {
  (void)prog, (void)btf_fd_idx;
  *func_addr = (u8*)(__bpf_call_base + func_id);
  return 0;
}

/* void bpf_throw(u64 cookie): the only one. */
const struct btf_func_model* bpf_jit_find_kfunc_model(const struct bpf_prog* prog,
                                                      const struct bpf_insn* insn) {
  static const struct btf_func_model model = {.nr_args = 1, .arg_size = {8}};
  (void)prog, (void)insn;
  return &model;
}

#if PLUMB_TREE_EXCEPTIONS
bool plumb_supports_throws(void) { return bpf_jit_supports_exceptions(); }

void plumb_mark_throws(const struct plumb_program* program, struct bpf_prog_aux* aux) {
  const u32 callback = plumb_exception_callback(program);
  aux->exception_cb = callback && aux->func_idx == callback;
  if (aux->func_idx == 0 && plumb_throws(program)) aux->exception_boundary = true;
}

void plumb_link_throws(const struct plumb_program* program, struct bpf_prog* main) {
  struct bpf_prog** func = main->aux->func;
  main->aux->exception_boundary = func[0]->aux->exception_boundary;
  main->aux->bpf_exception_cb = (void*)func[plumb_exception_callback(program)]->bpf_func;
}

int plumb_throw_path(const struct bpf_prog* main, struct plumb_throw_info* info) {
  if (!main->aux->bpf_exception_cb) return -1;
  info->boundary = 0;
  info->callback = (unsigned long)main->aux->bpf_exception_cb;
  info->sp_rule =
      plumb_arch_facts.arch == PLUMB_ARCH_X86_64 ? PLUMB_THROW_SP_AT_CALL : PLUMB_THROW_SP_ZERO;
  return 0;
}
#else
bool plumb_supports_throws(void) { return false; }
void plumb_mark_throws(const struct plumb_program* program, struct bpf_prog_aux* aux) {
  (void)program, (void)aux;
}
void plumb_link_throws(const struct plumb_program* program, struct bpf_prog* main) {
  (void)program, (void)main;
}
int plumb_throw_path(const struct bpf_prog* main, struct plumb_throw_info* info) {
  (void)main, (void)info;
  return -1;
}
#endif
