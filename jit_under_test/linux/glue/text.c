/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "glue/host.h"
#include "jit_under_test/plugin.h"

void* plumb_text_copy(void* to, const void* from, size_t size);
void* plumb_text_set(void* to, int byte, size_t size);
void synchronize_rcu(void);

static struct {
  struct plumb_patch_list* list; /* null: nothing is recorded */
  int apply;
  uint32_t count;
} record;

void plumb_text_record(struct plumb_patch_list* list, int apply) {
  record.list = list;
  record.apply = apply;
  record.count = 0;
}

uint32_t plumb_text_record_end(void) {
  record.list = NULL;
  return record.count;
}

/* As far as the host's steps reach. */
static void add_step(const struct plumb_patch_step* step) {
  const struct plumb_patch_list* list = record.list;
  if (record.count < list->capacity) {
    void* to = (char*)list->steps + (size_t)record.count * list->stride;
    memcpy(to, step, step->struct_size);
  }
  record.count++;
}

static void write_and_record(void* to, const void* from, size_t size, enum plumb_patch_kind kind) {
  if (record.list) {
    struct plumb_patch_step step = {
        .struct_size =
            (uint32_t)(record.list->stride < sizeof(step) ? record.list->stride : sizeof(step)),
        .size = (uint32_t)size,
        .address = (uint64_t)(uintptr_t)to,
        .kind = kind};
    if (size <= sizeof(step.expected)) {
      memcpy(step.expected, to, size);
      memcpy(step.replacement, from, size);
    }
    add_step(&step);
    if (!record.apply) return;
  }
  memcpy(to, from, size);
}

/* Code that runs: what is no aligned word is written behind a breakpoint. */
void plumb_text_write(void* to, const void* from, size_t size) {
  const int is_word = (size == 4 || size == 8) && (uintptr_t)to % size == 0;
  write_and_record(to, from, size, is_word ? PLUMB_PATCH_WORD : PLUMB_PATCH_INT3);
}

void plumb_slot_write(void* to, const void* from, size_t size) {
  write_and_record(to, from, size, PLUMB_PATCH_SLOT);
}

void synchronize_rcu(void) {
  const struct plumb_patch_step step = {.struct_size = sizeof(step),
                                        .kind = PLUMB_PATCH_GRACE_PERIOD};
  if (record.list) add_step(&step);
}

/* Freshly made code that nothing runs yet: never recorded. */
void* plumb_text_copy(void* to, const void* from, size_t size) { return memcpy(to, from, size); }
void* plumb_text_set(void* to, int byte, size_t size) { return memset(to, byte, size); }
