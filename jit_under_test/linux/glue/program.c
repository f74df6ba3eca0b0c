/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One program through the JIT, as jit_subprogs() of kernel/bpf/verifier.c and
 * bpf_prog_select_runtime() do it: once when it is one function; with several, every function
 * once to learn its address, and once more when all addresses are known.
 */
#include "glue/kernel.h"

/* Where plumb_fill_offsets() writes for the function that the JIT is at. */
static struct {
  u32* offsets;
  u32 count;
} fill;

/*
 * The line info of a function has one line per slot, so that constant blinding, which inserts
 * instructions, keeps the map (bpf_adj_linfo()). Entry j of insn_to_end is where instruction j
 * ends. JITs leave the entry of the first half of a 64-bit load unset.
 */
void plumb_fill_offsets(struct bpf_prog* prog, const u32* insn_to_end) {
  const struct bpf_line_info* lines = prog->aux->linfo;
  const u32 preamble = plumb_arch_preamble();
  if (!fill.offsets) return;
  fill.offsets[fill.count] = insn_to_end[prog->len - 1] - preamble;
  for (u32 i = fill.count; i-- > 0;) {
    const u32 index = lines[i].insn_off;
    const bool is_second_half = lines[i].line_col;
    fill.offsets[i] = is_second_half ? fill.offsets[i + 1]
                      : index == 0   ? plumb_arch_body_start(prog, insn_to_end) - preamble
                                     : insn_to_end[index - 1] - preamble;
  }
}

struct work {
  const struct plumb_program* program;
  const struct plumb_names* names;
  struct plumb_message* message;
  struct plumb_loaded_program* loaded;
  struct plumb_rewritten* rewritten; /* per function */
  struct bpf_line_info* lines;       /* of all functions */
  bool* reachable;
  bool with_tail_call;
};

static struct bpf_prog* allocate(u32 len) {
  return bpf_prog_alloc_no_stats(bpf_prog_size(len), GFP_USER);
}

static u32 stack_depth(const struct work* work, u32 f) {
  const u32 depth = plumb_function_at(work->program, f)->stack_depth;
  if (plumb_function_at(work->program, f)->flags & PLUMB_FUNCTION_AS_IT_STANDS) return depth;
  /* A tail call that reuses the frame needs frames of one size; see do_misc_fixups(). */
  if (plumb_has_tail_call(plumb_function_at(work->program, f)) &&
      !bpf_jit_supports_subprog_tailcalls())
    return MAX_BPF_STACK;
  return depth;
}

static struct bpf_line_info* make_lines(const struct plumb_function* function,
                                        const struct plumb_rewritten* rewritten,
                                        struct bpf_line_info* lines) {
  const struct plumb_insn* insns = function->insns;
  for (u32 i = 0; i < function->insn_count; i++) {
    lines[i].insn_off = rewritten->first[i];
    lines[i].line_col = 0;
    if (insns[i].opcode == (BPF_LD | BPF_IMM | BPF_DW)) {
      i++;
      lines[i].insn_off = rewritten->first[i];
      lines[i].line_col = 1;
    }
  }
  return lines + function->insn_count;
}

static bool blinding_requested(void) { return plumb_variant.switches & PLUMB_SWITCH_BLINDING; }

/* Sets up prog as function f; main is where poke descriptors are collected. */
static int prepare(struct work* work, u32 f, struct bpf_prog* prog, struct bpf_prog* main,
                   struct bpf_line_info** lines) {
  const struct plumb_function* function = plumb_function_at(work->program, f);
  prog->type = BPF_PROG_TYPE_SCHED_CLS;
  prog->len = work->rewritten[f].len;
  prog->jit_requested = 1;
  prog->blinding_requested = blinding_requested();
  prog->aux->func_idx = f;
  plumb_set_program_kind(prog->aux);
  if (plumb_exception_callback(work->program)) plumb_mark_throws(work->program, prog->aux);
  prog->aux->stack_depth = stack_depth(work, f);
  prog->aux->tail_call_reachable = work->reachable[f];
  prog->aux->linfo = *lines;
  prog->aux->nr_linfo = function->insn_count;
  *lines = make_lines(function, &work->rewritten[f], *lines);
  return plumb_rewrite(function, &work->rewritten[f], work->names, main,
                       prog == main ? NULL : prog->aux, prog->insnsi, work->message);
}

/* Branches reach as far as an instruction can say, and JITs say so. What Linux takes from a program
 * without privileges (BPF_MAXINSNS) is in reach on every architecture: there it is a refusal. */
static bool is_out_of_reach(const struct work* work, u32 f) {
  return plumb_function_at(work->program, f)->insn_count > BPF_MAXINSNS &&
         plumb_failure_says("out of range");
}

/* Blinding makes a program longer. Where a jump does not reach over that any more (16 bits count
 * instructions), it ends with -ERANGE and the kernel does not run the program: jumps over some
 * 10,000 constants are refused there, too, and no fault of the JIT. */
static int refused(struct work* work, u32 f) {
  const char* why = plumb_failure_text();
  const long error = plumb_blinding_error();
  if (error == -ERANGE) {
    plumb_say(work->message, "blinded, a jump is too far for its instruction (-ERANGE)");
    return PLUMB_NOT_APPLICABLE;
  }
  if (error && !*why) {
    plumb_say(work->message, "function %u was not compiled: blinding ended with error %ld", f,
              error);
    return PLUMB_REFUSED;
  }
  if (is_out_of_reach(work, f)) {
    plumb_say(work->message, "a branch does not reach over so much code");
    return PLUMB_NOT_APPLICABLE;
  }
  plumb_say(work->message, "function %u was not compiled%s%s", f, *why ? ": " : "", why);
  return PLUMB_REFUSED;
}

static void set_fill(struct work* work, u32 f, struct plumb_native_function* natives) {
  fill.offsets = (u32*)natives[f].insn_offsets;
  fill.count = plumb_function_at(work->program, f)->insn_count;
}

static int load_single(struct work* work, struct plumb_native_function* natives) {
  u32 failed;
  struct plumb_loaded_program* loaded = work->loaded;
  struct bpf_line_info* lines = work->lines;
  struct bpf_prog* prog = allocate(work->rewritten[0].len);
  loaded->main = prog;
  if (!prog) return -1;
  loaded->func = &loaded->main;
  if (prepare(work, 0, prog, prog, &lines)) return PLUMB_NOT_APPLICABLE;
  /* bpf_check() says so of the program, jit_subprogs() does not repeat it to functions. */
  prog->aux->verifier_zext =
      plumb_function_at(work->program, 0)->flags & PLUMB_FUNCTION_AS_IT_STANDS
          ? plumb_function_at(work->program, 0)->flags & PLUMB_FUNCTION_ZERO_EXTENDED
          : bpf_jit_needs_zext();
  if (plumb_compile_begin(loaded->func, 1, &failed)) return refused(work, failed);
  set_fill(work, 0, natives);
  loaded->main = plumb_compile(loaded->main);
  return loaded->main->jited ? PLUMB_LOADED : refused(work, 0);
}

static void set_func_count(struct bpf_prog_aux* aux, u32 count) {
  aux->func_cnt = count;
#if PLUMB_TREE_REAL_FUNC_CNT
  aux->real_func_cnt = count;
#endif
}

/* References between functions, once every function has an address. */
static void link_functions(struct work* work, u32 f) {
  struct plumb_loaded_program* loaded = work->loaded;
  struct bpf_prog* prog = loaded->func[f];
  struct bpf_insn* insn = prog->insnsi;
  for (u32 i = 0; i < prog->len; i++, insn++) {
    if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
      if (insn->src_reg == BPF_PSEUDO_FUNC) {
        const u64 address = (unsigned long)loaded->func[insn->off]->bpf_func;
        insn[0].imm = (s32)(u32)address;
        insn[1].imm = (s32)(u32)(address >> 32);
      }
      i++, insn++;
    } else if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) {
      insn->imm = (s32)BPF_CALL_IMM(loaded->func[insn->off]->bpf_func);
    }
  }
  prog->aux->func = loaded->func;
  set_func_count(prog->aux, loaded->function_count);
}

static void share_pokes(struct plumb_loaded_program* loaded) {
  struct bpf_prog_aux* main = loaded->main->aux;
  for (u32 f = 0; f < loaded->function_count; f++) {
    loaded->func[f]->aux->poke_tab = main->poke_tab;
    loaded->func[f]->aux->size_poke_tab = main->size_poke_tab;
  }
}

static void finish_main(struct plumb_loaded_program* loaded) {
  struct bpf_prog *main = loaded->main, *first = loaded->func[0];
  main->jited = 1;
  main->bpf_func = first->bpf_func;
  main->jited_len = first->jited_len;
  main->aux->extable = first->aux->extable;
  main->aux->num_exentries = first->aux->num_exentries;
}

static int load_several(struct work* work, struct plumb_native_function* natives) {
  struct plumb_loaded_program* loaded = work->loaded;
  struct bpf_line_info* lines = work->lines;
  struct bpf_prog* main = allocate(0);
  const u32 count = loaded->function_count;
  u32 failed;
  loaded->main = main;
  if (!main) return -1;
  main->type = BPF_PROG_TYPE_SCHED_CLS;
  main->blinding_requested = blinding_requested(); /* then no tail call is direct */
  main->aux->stack_depth = stack_depth(work, 0);
  main->aux->tail_call_reachable = work->reachable[0];
  loaded->func = kcalloc(count, sizeof(*loaded->func), GFP_KERNEL);
  main->aux->func = loaded->func;
  for (u32 f = 0; f < count; f++) {
    loaded->func[f] = allocate(work->rewritten[f].len);
    if (!loaded->func[f]) return -1;
    loaded->func[f]->is_func = 1;
    set_func_count(main->aux, f + 1); /* what bpf_prog_free() has to free */
    if (prepare(work, f, loaded->func[f], main, &lines)) return PLUMB_NOT_APPLICABLE;
  }
  share_pokes(loaded);
  if (plumb_compile_begin(loaded->func, count, &failed)) return refused(work, failed);
  fill.offsets = NULL;
  for (u32 f = 0; f < count; f++) {
    loaded->func[f] = plumb_compile(loaded->func[f]);
    if (!loaded->func[f]->jited) return refused(work, f);
  }
  for (u32 f = 0; f < count; f++) link_functions(work, f);
  for (u32 f = 0; f < count; f++) {
    const void* address = loaded->func[f]->bpf_func;
    set_fill(work, f, natives);
    if (plumb_compile(loaded->func[f]) != loaded->func[f] || loaded->func[f]->bpf_func != address)
      return refused(work, f);
  }
  finish_main(loaded);
  if (plumb_exception_callback(work->program)) plumb_link_throws(work->program, main);
  return PLUMB_LOADED;
}

static void describe(struct work* work, struct plumb_native_function* natives) {
  for (u32 f = 0; f < work->loaded->function_count; f++) {
    const struct bpf_prog* prog = work->loaded->func[f];
    struct plumb_native_function* native = &natives[f];
    native->struct_size = sizeof(*native);
    native->function = f;
    native->address = (unsigned long)prog->bpf_func;
    native->size = prog->jited_len;
    /* Only a main program can stand in a prog array. */
    native->tail_call_entry = f == 0 ? plumb_arch_facts.tail_call_offset : UINT32_MAX;
    native->stack_size = plumb_arch_stack_size(prog->aux->stack_depth);
    native->tail_call_reachable = work->reachable[f];
    native->insn_offset_count = plumb_function_at(work->program, f)->insn_count + 1;
#if PLUMB_TREE_FP_RANGE
    /* As bpf_has_frame_pointer() reads them: from ksym.start, which is bpf_func. */
    if (prog->aux->ksym.fp_start && prog->aux->ksym.fp_end) {
      native->fp_begin = prog->aux->ksym.fp_start;
      native->fp_end = prog->aux->ksym.fp_end;
    }
#endif
  }
}

static int measure(struct work* work) {
  const struct plumb_program* program = work->program;
  const u32 count = program->function_count;
  const char* why;
  u32 slots = 0;
  u32* first;
  for (u32 f = 0; f < count; f++) slots += plumb_function_at(program, f)->insn_count + 1;
  /* One block for all: the maps, and the rewritten functions in front of them. */
  work->rewritten =
      kmalloc(count * sizeof(*work->rewritten) + slots * sizeof(*first) + count, GFP_KERNEL);
  work->lines = kzalloc(slots * sizeof(*work->lines), GFP_KERNEL);
  first = (u32*)(work->rewritten + count);
  work->reachable = (bool*)(first + slots);
  for (u32 f = 0; f < count; f++) {
    work->rewritten[f].first = first;
    first += plumb_function_at(program, f)->insn_count + 1;
    plumb_rewrite_measure(plumb_function_at(program, f), &work->rewritten[f]);
  }
  why = plumb_tail_call_reachable(program, work->reachable);
  if (!why) return PLUMB_LOADED;
  plumb_say(work->message, "%s", why);
  return PLUMB_NOT_APPLICABLE;
}

int plumb_program_load(const struct plumb_program* program, const struct plumb_names* names,
                       struct plumb_loaded_program* loaded, struct plumb_native_function* natives,
                       struct plumb_message* message) {
  struct work work = {.program = program, .names = names, .message = message, .loaded = loaded};
  int status;
  loaded->function_count = program->function_count;
  status = measure(&work);
  if (status == PLUMB_LOADED)
    status =
        program->function_count == 1 ? load_single(&work, natives) : load_several(&work, natives);
  fill.offsets = NULL;
  plumb_compile_end();
  if (status == PLUMB_LOADED) describe(&work, natives);
  if (status < 0) {
    plumb_say(message, "the arena is full");
    status = PLUMB_BROKEN;
  }
  /* Nothing looks at lines after this: the tables are ours, the kernel's pointers must go. */
  for (u32 f = 0; loaded->func && f < loaded->function_count; f++)
    if (loaded->func[f]) loaded->func[f]->aux->nr_linfo = 0;
  kfree(work.lines);
  kfree(work.rewritten);
  return status;
}

/* bpf_prog_free(), which frees the functions with it. */
void plumb_program_unload(struct plumb_loaded_program* loaded) {
  if (loaded->main) bpf_prog_free(loaded->main);
  loaded->main = NULL;
  loaded->func = NULL;
}
