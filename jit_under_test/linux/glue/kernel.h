/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel-side files of the plugin share. They stand where kernel/bpf/verifier.c,
 * kernel/bpf/syscall.c and kernel/bpf/arraymap.c stand in the kernel: between the user of bpf(2)
 * and the JIT.
 */
#ifndef PLUMB_GLUE_KERNEL_H
#define PLUMB_GLUE_KERNEL_H

#include <linux/bpf.h>
#include <linux/filter.h>

#include "glue/arch.h"

/* ---- The request's arrays: the host's elements may be longer than ours ---- */
static inline const struct plumb_program* plumb_program_at(const struct plumb_load_request* request,
                                                           u32 p) {
  return PLUMB_AT(struct plumb_program, request->programs, request->program_stride, p);
}
static inline const struct plumb_function* plumb_function_at(const struct plumb_program* program,
                                                             u32 f) {
  return PLUMB_AT(struct plumb_function, program->functions, program->function_stride, f);
}
static inline const struct plumb_prog_array* plumb_array_at(
    const struct plumb_load_request* request, u32 a) {
  return PLUMB_AT(struct plumb_prog_array, request->arrays, request->array_stride, a);
}

/* ---- core.c (shim/common) ---- */
void plumb_core_init(void);
void plumb_core_reset(void);

/* ---- failure.c, heap.c, arena.c, text.c: see host.h, which kernel code cannot include ---- */
int plumb_guarded(void (*body)(void*), void* argument);
const char* plumb_failure_text(void);
int plumb_failure_says(const char* words);
int plumb_failure_is_warning(void);
void plumb_failure_clear(void);
void plumb_heap_reset(void);
size_t plumb_heap_blocks_used(void);
void plumb_arena_init(uint64_t begin, uint64_t size);
void plumb_arena_reset(void);
size_t plumb_arena_pages_used(void);
int plumb_arena_was_full(void);
void plumb_random_restart(void);
void plumb_text_write(void* to, const void* from, size_t size);
void plumb_slot_write(void* to, const void* from, size_t size);
void plumb_text_record(struct plumb_patch_list* list, int apply);
u32 plumb_text_record_end(void);

/* ---- One line about what went wrong ---- */
struct plumb_message {
  char* text;
  size_t size;
};
#define plumb_say(message, ...) \
  ((void)((message)->size && snprintf((message)->text, (message)->size, __VA_ARGS__)))

/* ---- check.c: is the request well-formed? Returns enum plumb_status. ---- */
int plumb_check_request(const struct plumb_load_request* request, u64 capabilities,
                        struct plumb_message* message);

/* ---- rewrite.c: what the verifier does to instructions before the JIT sees them ---- */

/* Where things are that instructions name by index. */
struct plumb_names {
  struct bpf_array** arrays;
  const u64* regions;
};

struct plumb_rewritten {
  u32 len;    /* instructions after rewriting */
  u32* first; /* per original slot, and one more: index after rewriting */
};

/* Sets len and fills first, which holds insn_count + 1 entries. */
void plumb_rewrite_measure(const struct plumb_function* function, struct plumb_rewritten* result);

/* Writes result->len instructions; adds a poke descriptor to program for each direct tail call,
 * for owner if that is not null. 0, or -1 with a message. */
int plumb_rewrite(const struct plumb_function* function, const struct plumb_rewritten* result,
                  const struct plumb_names* names, struct bpf_prog* program,
                  struct bpf_prog_aux* owner, struct bpf_insn* to, struct plumb_message* message);

/* ---- tail_calls.c: what the verifier finds out about tail calls ---- */

/* Does the function itself contain a tail call? */
bool plumb_has_tail_call(const struct plumb_function* function);

/* reachable[f]: function f has to pass the tail-call counter on. Null, or why the verifier does not
 * take the program. */
const char* plumb_tail_call_reachable(const struct plumb_program* program, bool* reachable);

/* What is known at a tail call about its array and its key. */
struct plumb_tail_call_site {
  u32 slot;
  bool known;
  u32 array; /* index, when known */
  u64 key;
};

/* Finds the tail calls of a function in order. Returns how many; fills at most capacity. */
u32 plumb_find_tail_calls(const struct plumb_function* function, struct plumb_tail_call_site* sites,
                          u32 capacity);

/* ---- program_kind.c: what a variant says of all programs. After func_idx was set. ---- */
void plumb_set_program_kind(struct bpf_prog_aux* aux);

/* ---- throws.c: programs that throw ---- */
bool plumb_is_throw(const struct bpf_insn* insn);
bool plumb_throws(const struct plumb_program* program);
u32 plumb_exception_callback(const struct plumb_program* program); /* 0: none */
bool plumb_supports_throws(void);                                  /* the tree's JIT */
/* Before the JIT sees a function, after plumb_set_program_kind(); when all are compiled. */
void plumb_mark_throws(const struct plumb_program* program, struct bpf_prog_aux* aux);
void plumb_link_throws(const struct plumb_program* program, struct bpf_prog* main);
/* -1: it has no exception callback. */
int plumb_throw_path(const struct bpf_prog* main, struct plumb_throw_info* info);

/* ---- compile.c: the functions of one program through the JIT ---- */

/* Before any of them is compiled: blinds constants where that was requested and is not the JIT's to
 * do, which replaces func[f]. -1: *failed is the function that could not be blinded. */
int plumb_compile_begin(struct bpf_prog** func, u32 count, u32* failed);
struct bpf_prog* plumb_compile(struct bpf_prog* prog);
long plumb_blinding_error(void); /* of the functions since plumb_compile_begin(); 0: none */
void plumb_compile_end(void);    /* also when it was never begun */

/* ---- program.c: one program through the JIT ---- */
struct plumb_loaded_program {
  struct bpf_prog* main;  /* what prog-array slots hold */
  struct bpf_prog** func; /* main->aux->func, or &main for a single function */
  u32 function_count;
};

/* natives: one per function, with insn_offsets pointing to room for insn_count + 1 entries. */
int plumb_program_load(const struct plumb_program* program, const struct plumb_names* names,
                       struct plumb_loaded_program* loaded, struct plumb_native_function* natives,
                       struct plumb_message* message);
void plumb_program_unload(struct plumb_loaded_program* loaded);

/* ---- slots.c: prog arrays ---- */
struct bpf_array* plumb_array_create(u32 slot_count);
void plumb_array_destroy(struct bpf_array* array);
size_t plumb_array_size(u32 slot_count);
/* Puts program (may be null) into the slot and runs the pokes of all loaded programs. */
void plumb_array_update(struct bpf_array* array, u32 slot, struct bpf_prog* program,
                        const struct plumb_loaded_program* loaded, u32 loaded_count);

/* ---- image.c: the programs and arrays of one request; bodies for plumb_guarded() ---- */
struct plumb_loaded;

struct plumb_load {
  const struct plumb_load_request* request;
  struct plumb_image* out;
  struct plumb_message* message;
  struct plumb_loaded* image;
  int status;
};
void plumb_load_body(void* load);
void plumb_unload_body(void* loaded);

struct plumb_update {
  struct plumb_loaded* image;
  u32 array, slot;
  s32 program;
};
/* The path of throws of one program. -1: there is none. */
int plumb_image_throw_path(const struct plumb_loaded* image, u32 program,
                           struct plumb_throw_info* info);
bool plumb_can_update(const struct plumb_update* update);
void plumb_update_body(void* update);

#endif
