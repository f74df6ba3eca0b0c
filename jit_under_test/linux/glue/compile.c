/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps around the JIT that stand in bpf_prog_jit_compile() of kernel/bpf/core.c and in
 * bpf_jit_subprogs() of the verifier. Newer trees hand the JIT the verifier's environment, where it
 * looks up what was found out about instructions and functions, and blind constants before they
 * call it; in older ones the JIT blinds them itself.
 */
#include <linux/bpf_verifier.h>

#include "glue/kernel.h"

#if PLUMB_TREE_BLIND_TAKES_ENV
/* The kernel blinds a program before it is split into functions, and moves what the verifier noted
 * of its instructions; here nothing is noted yet. */
#define blind(prog) bpf_jit_blind_constants(NULL, prog)
#else
#define blind(prog) bpf_jit_blind_constants(prog)
#endif

/* What blinding returned last, 0: nothing went wrong. A JIT that blinds itself tells nobody. */
static long blinding_error;

static struct bpf_prog* noted(struct bpf_prog* blinded) {
  if (IS_ERR(blinded)) blinding_error = PTR_ERR(blinded);
  return blinded;
}

#if PLUMB_TREE_JIT_BLINDS
/* What the JIT calls in the place of bpf_jit_blind_constants() (PlumblineLinuxPlugin.cmake). */
struct bpf_prog* plumb_blind_constants(struct bpf_prog* prog);
struct bpf_prog* plumb_blind_constants(struct bpf_prog* prog) { return noted(blind(prog)); }
#endif

long plumb_blinding_error(void) { return blinding_error; }

static int blind_constants(struct bpf_prog** func, u32 f) {
#if !PLUMB_TREE_JIT_BLINDS
  struct bpf_prog* original = func[f];
  struct bpf_prog* blinded;
  if (!original->blinding_requested || original->blinded) return 0;
  blinded = noted(blind(original));
  if (IS_ERR(blinded)) return -1;
  bpf_jit_prog_release_other(blinded, original);
  func[f] = blinded;
#else
  (void)func, (void)f;
#endif
  return 0;
}

#if PLUMB_TREE_JIT_TAKES_ENV
/* Of what the verifier finds out, programs of ours have nothing: no instruction is the target of an
 * indirect jump, no function takes arguments on the stack. But the JIT looks, and finds it so. */
static struct bpf_verifier_env environment;

static void describe(struct bpf_prog** func, u32 count) {
  u32 start = 0;
  for (u32 f = 0; f <= count; f++) {
    memset(&environment.subprog_info[f], 0, sizeof(environment.subprog_info[f]));
    environment.subprog_info[f].start = start;
    if (f == count) break;
    func[f]->aux->subprog_start = start;
    start += func[f]->len;
  }
  environment.subprog_cnt = count;
  environment.insn_aux_data = kvzalloc(start * sizeof(*environment.insn_aux_data), GFP_KERNEL);
}

struct bpf_prog* plumb_compile(struct bpf_prog* prog) {
  return bpf_int_jit_compile(&environment, prog);
}

void plumb_compile_end(void) {
  kvfree(environment.insn_aux_data);
  environment.insn_aux_data = NULL;
}
#else
static void describe(struct bpf_prog** func, u32 count) { (void)func, (void)count; }

struct bpf_prog* plumb_compile(struct bpf_prog* prog) { return bpf_int_jit_compile(prog); }

void plumb_compile_end(void) {}
#endif

int plumb_compile_begin(struct bpf_prog** func, u32 count, u32* failed) {
  blinding_error = 0;
  for (u32 f = 0; f < count; f++) {
    if (blind_constants(func, f) == 0) continue;
    *failed = f;
    return -1;
  }
  describe(func, count);
  return 0;
}
