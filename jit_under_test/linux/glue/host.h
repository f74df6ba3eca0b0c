/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C library's side of the plugin, for both sides: plain C types only. Kernel files do not see
 * libc headers, and these files do not see kernel headers.
 */
#ifndef PLUMB_GLUE_HOST_H
#define PLUMB_GLUE_HOST_H

#include <stddef.h>
#include <stdint.h>

struct plumb_patch_list;

/* ---- arena.c: guest-visible memory, in pages, first fit. Same history, same addresses. ---- */
void plumb_arena_init(uint64_t begin, uint64_t size);
void* plumb_arena_alloc(size_t size, int zero); /* NULL when full */
void plumb_arena_free(const void* p);           /* NULL is allowed */
size_t plumb_arena_pages_used(void);
int plumb_arena_was_full(void); /* since this was asked the last time: something did not fit */

/* ---- heap.c: everything else ---- */
void* plumb_heap_alloc(size_t size, int zero);
void* plumb_heap_realloc(void* old, size_t size);
void plumb_heap_free(const void* p);
size_t plumb_heap_blocks_used(void);

/* Frees all of the heap and the arena: after a load was given up and nothing else is loaded. */
void plumb_heap_reset(void);
void plumb_arena_reset(void);

/* ---- failure.c: BUG, WARN and printk of the kernel code ---- */

/* Runs body(argument). 0, or -1 when it hit a BUG(); then only plumb_failure_text() is sure. */
int plumb_guarded(void (*body)(void*), void* argument);
/* The first BUG, WARN or error message since the last plumb_failure_clear(), or "". */
const char* plumb_failure_text(void);
int plumb_failure_says(const char* words); /* does it contain them? */
int plumb_failure_is_warning(void);        /* a WARN or BUG was hit, not just a message printed */
void plumb_failure_clear(void);

/* ---- library.c: numbers that nobody could guess, were they not the same in every load ---- */
uint32_t plumb_random(void);
void plumb_random_restart(void);

/* ---- text.c: writes to code that may be running ---- */

/* From here on, text pokes and grace periods go to the list; the memory changes only if apply. */
void plumb_text_record(struct plumb_patch_list* list, int apply);
void plumb_text_write(void* to, const void* from, size_t size);
/* A write that is not the JIT's but belongs to the same update: to a prog array's slot. */
void plumb_slot_write(void* to, const void* from, size_t size);
/* Ends recording: how many steps there were, also those beyond capacity. */
uint32_t plumb_text_record_end(void);

#endif
