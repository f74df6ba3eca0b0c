/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's interpreter, behind jit_under_test/interpreter.h. A program is one array of
 * instructions here, main function first, as the verifier leaves it where no JIT took the functions
 * apart; fixup_call_args() of kernel/bpf/verifier.c says what the interpreter does not run.
 */
#include "glue/interpreter.h"

#include "jit_under_test/interpreter.h"
#include "jit_under_test/plugin_mark.h"

PLUMB_MARK_PLUGIN;

static struct plumb_interpretation* invocation; /* the one that runs */

/* ---- Helpers: one function each, because a call carries no number ---- */

static u64 call_helper(s32 number, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5) {
  const uint64_t arguments[5] = {r1, r2, r3, r4, r5};
  return invocation->call_helper(invocation->host, number, arguments);
}

#define PLUMB_HELPER(name, number, result, a1, a2, a3, a4, a5)       \
  static u64 helper_##name(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5) { \
    return call_helper(number, r1, r2, r3, r4, r5);                  \
  }
#include "core/helpers.inc"

static const struct {
  s32 number;
  u64 (*function)(u64, u64, u64, u64, u64);
} helpers[] = {
#define PLUMB_HELPER(name, number, result, a1, a2, a3, a4, a5) {number, helper_##name},
#include "core/helpers.inc"
};

/* ---- One program ---- */

enum { kMaxFunctions = 256, kDeepestStack = MAX_BPF_STACK };

struct work {
  const struct plumb_program* program;
  const struct plumb_names* names;
  struct plumb_message* message;
  struct plumb_rewritten rewritten[kMaxFunctions];
  u32 begin[kMaxFunctions + 1]; /* first instruction of each function */
};

/* One piece for all maps of slots: freed by the caller. */
static u32* measure(struct work* work) {
  const struct plumb_program* program = work->program;
  u32 slots = 0, f;
  u32 *maps, *next;
  for (f = 0; f < program->function_count; f++)
    slots += plumb_function_at(program, f)->insn_count + 1;
  next = maps = kmalloc(slots * sizeof(*maps), GFP_KERNEL);
  work->begin[0] = 0;
  for (f = 0; f < program->function_count; f++) {
    work->rewritten[f].first = next;
    next += plumb_function_at(program, f)->insn_count + 1;
    plumb_rewrite_measure(plumb_function_at(program, f), &work->rewritten[f]);
    work->begin[f + 1] = work->begin[f] + work->rewritten[f].len;
  }
  return maps;
}

static int link_helper(struct bpf_insn* insn, struct plumb_message* message) {
  const s32 number = insn->imm / PLUMB_STUB_STRIDE; /* as rewrite.c left it */
  for (u32 i = 0; i < ARRAY_SIZE(helpers); i++) {
    if (helpers[i].number != number) continue;
    insn->imm = plumb_call_distance(helpers[i].function);
    return PLUMB_LOADED;
  }
  plumb_say(message, "no helper has the number %d", number);
  return PLUMB_NOT_APPLICABLE;
}

/* A call of a function: to where it begins, and with which stack. */
static int link_call(const struct work* work, struct bpf_insn* insn, u32 at) {
  const u32 callee = (u32)insn->off;
  const s64 distance = (s64)work->begin[callee] - at - 1;
  if (distance < S16_MIN || distance > S16_MAX) {
    plumb_say(work->message, "a call is out of the reach of 16 bits");
    return PLUMB_NOT_APPLICABLE;
  }
  insn->imm = (s32)distance;
  bpf_patch_call_args(insn, plumb_function_at(work->program, callee)->stack_depth);
  return PLUMB_LOADED;
}

static int link_program(const struct work* work, struct bpf_insn* insns) {
  for (u32 i = 0; i < work->begin[work->program->function_count]; i++) {
    int status = PLUMB_LOADED;
    if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW)) {
      i++;
    } else if (insns[i].code == (BPF_JMP | BPF_CALL)) {
      status = insns[i].src_reg == BPF_PSEUDO_CALL ? link_call(work, &insns[i], i)
                                                   : link_helper(&insns[i], work->message);
    }
    if (status != PLUMB_LOADED) return status;
  }
  return PLUMB_LOADED;
}

/* A tail call keeps the frame that it finds, so every frame that may see one is as deep as can be
 * (do_misc_fixups() of the verifier). */
static u32 stack_depth(const struct plumb_program* program) {
  return plumb_has_tail_call(plumb_function_at(program, 0))
             ? kDeepestStack
             : plumb_function_at(program, 0)->stack_depth;
}

static int load_program(struct work* work, struct bpf_prog** loaded) {
  const u32 count = work->program->function_count;
  u32* maps = measure(work);
  int status = PLUMB_LOADED;
  struct bpf_prog* prog = bpf_prog_alloc_no_stats(bpf_prog_size(work->begin[count]), GFP_USER);
  if (!prog) {
    plumb_say(work->message, "out of memory for programs");
    kfree(maps);
    return PLUMB_BROKEN;
  }
  *loaded = prog;
  prog->type = BPF_PROG_TYPE_SCHED_CLS;
  prog->len = work->begin[count];
  prog->aux->stack_depth = stack_depth(work->program);
  for (u32 f = 0; f < count && status == PLUMB_LOADED; f++) {
    if (plumb_rewrite(plumb_function_at(work->program, f), &work->rewritten[f], work->names, prog,
                      NULL, prog->insnsi + work->begin[f], work->message))
      status = PLUMB_NOT_APPLICABLE;
  }
  if (status == PLUMB_LOADED) status = link_program(work, prog->insnsi);
  kfree(maps);
  return status;
}

/* ---- One case ---- */

struct session {
  const struct plumb_load_request* request;
  struct plumb_message* message;
  struct bpf_array** arrays;
  struct bpf_prog** programs;
  int status;
};

static int load_arrays(struct session* s) {
  for (u32 a = 0; a < s->request->array_count; a++) {
    s->arrays[a] = plumb_array_create(plumb_array_at(s->request, a)->slot_count);
    if (!s->arrays[a]) {
      plumb_say(s->message, "out of memory for prog arrays");
      return PLUMB_BROKEN;
    }
    invocation->array_addresses[a] = (unsigned long)s->arrays[a];
  }
  return PLUMB_LOADED;
}

static void fill_slots(const struct session* s) {
  for (u32 a = 0; a < s->request->array_count; a++)
    for (u32 slot = 0; slot < plumb_array_at(s->request, a)->slot_count; slot++) {
      const s32 p = plumb_array_at(s->request, a)->slots[slot];
      if (p >= 0) plumb_array_update(s->arrays[a], slot, s->programs[p], NULL, 0);
    }
}

static void run_body(void* argument) {
  struct session* s = argument;
  const struct plumb_load_request* request = s->request;
  static struct work work; /* too large for a stack */
  struct plumb_names names = {.regions = (const u64*)request->region_addresses};
  s->arrays = kzalloc((request->array_count + 1) * sizeof(*s->arrays), GFP_KERNEL);
  s->programs = kzalloc(request->program_count * sizeof(*s->programs), GFP_KERNEL);
  names.arrays = s->arrays;
  s->status = load_arrays(s);
  work.names = &names;
  work.message = s->message;
  for (u32 p = 0; p < request->program_count && s->status == PLUMB_LOADED; p++) {
    work.program = plumb_program_at(request, p);
    s->status = load_program(&work, &s->programs[p]);
  }
  if (s->status != PLUMB_LOADED) return;
  fill_slots(s);
  invocation->result = plumb_interpret(s->programs[invocation->program], invocation->context);
}

/* ---- The entry ---- */

static const struct plumb_contract contract = {.struct_size = sizeof(contract),
                                               .empty_slot_consumes_count = PLUMB_EMPTY_SLOT_ANSWER,
                                               .calls_keep_count = PLUMB_NO};
static struct plumb_interpreter_info info = {.struct_size = sizeof(info), .contract = &contract};

/* Where programs and prog arrays lie: what vmalloc() gives. */
static char memory[8 << 20] __attribute__((aligned(PAGE_SIZE)));

const struct plumb_arch_facts plumb_arch_facts = {.name = "interpreter"};

static int interpreter_run(const struct plumb_load_request* request,
                           struct plumb_interpretation* to_run, char* error, size_t error_size) {
  struct plumb_message message = {error, error_size};
  struct session session = {.request = request, .message = &message, .status = PLUMB_BROKEN};
  int status;
  if (error_size) error[0] = '\0';
  status = plumb_check_request(request, info.capabilities, &message);
  if (status != PLUMB_LOADED) return status;
  if (to_run->program >= request->program_count) {
    plumb_say(&message, "no such program");
    return PLUMB_BROKEN;
  }
  invocation = to_run;
  plumb_failure_clear();
  status = plumb_guarded(run_body, &session);
  if (status || plumb_failure_is_warning()) {
    plumb_say(&message, "%s", plumb_failure_text());
    session.status = PLUMB_BROKEN;
  }
  /* Nothing stays loaded: all memory goes at once. */
  plumb_core_reset();
  plumb_heap_reset();
  plumb_arena_reset();
  return session.status;
}

static const struct plumb_interpreter interpreter = {
    .struct_size = sizeof(interpreter),
    .abi = PLUMB_INTERPRETER_ABI,
    .info = &info,
    .run = interpreter_run,
};

__attribute__((visibility("default"))) const struct plumb_interpreter* plumb_interpreter_entry(
    uint32_t host_abi, uint32_t host_size) {
  (void)host_size;
  if (host_abi < PLUMB_INTERPRETER_ABI) return NULL;
  if (!info.name) {
    info.name = plumb_variant.name;
    info.version = plumb_variant.version;
    info.origin = plumb_variant.origin;
    info.jits = PLUMB_INTERPRETER_JITS;
    info.capabilities =
        PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAIL_CALL | PLUMB_CAN_ATOMICS | PLUMB_CAN_TAKE_BASE;
    if (PLUMB_TREE_VERSION_4) info.capabilities |= PLUMB_CAN_V4;
    plumb_arena_init((unsigned long)memory, sizeof(memory));
  }
  return &interpreter;
}
