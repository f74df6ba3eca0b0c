/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "glue/host.h"
#include "jit_under_test/plugin.h"

void* plumb_text_copy(void* to, const void* from, size_t size);
void* plumb_text_set(void* to, int byte, size_t size);
void synchronize_rcu(void);

static struct {
  int active, apply;
  struct plumb_patch_step* steps;
  uint32_t capacity, count;
} record;

void plumb_text_record(struct plumb_patch_step* steps, uint32_t capacity, int apply) {
  record.active = 1;
  record.apply = apply;
  record.steps = steps;
  record.capacity = capacity;
  record.count = 0;
}

uint32_t plumb_text_record_end(void) {
  record.active = 0;
  return record.count;
}

static struct plumb_patch_step* next_step(void) {
  struct plumb_patch_step* step = NULL;
  if (record.count < record.capacity) {
    step = &record.steps[record.count];
    memset(step, 0, sizeof(*step));
    step->struct_size = sizeof(*step);
  }
  record.count++;
  return step;
}

void plumb_text_write(void* to, const void* from, size_t size) {
  if (record.active) {
    struct plumb_patch_step* step = next_step();
    if (step != NULL && size <= sizeof(step->expected)) {
      step->address = (uint64_t)(uintptr_t)to;
      step->size = (uint32_t)size;
      memcpy(step->expected, to, size);
      memcpy(step->replacement, from, size);
    }
    if (!record.apply) return;
  }
  memcpy(to, from, size);
}

void synchronize_rcu(void) {
  if (record.active) (void)next_step();
}

/* Freshly made code that nothing runs yet: never recorded. */
void* plumb_text_copy(void* to, const void* from, size_t size) { return memcpy(to, from, size); }
void* plumb_text_set(void* to, int byte, size_t size) { return memset(to, byte, size); }
