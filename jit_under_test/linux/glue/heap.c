/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "glue/host.h"

/* All blocks hang on one list: a load that was given up half-way leaves blocks that only this file
 * knows, and LeakSanitizer must see blocks that only guest memory points to. */
struct block {
  struct block *next, *previous;
};

static struct block blocks = {&blocks, &blocks};
static size_t block_count;

void* plumb_heap_alloc(size_t size, int zero) {
  struct block* block = zero ? calloc(1, sizeof(*block) + size) : malloc(sizeof(*block) + size);
  if (block == NULL) return NULL;
  block->next = blocks.next;
  block->previous = &blocks;
  blocks.next->previous = block;
  blocks.next = block;
  block_count++;
  return block + 1;
}

void* plumb_heap_realloc(void* old, size_t size) {
  struct block* block;
  if (old == NULL) return plumb_heap_alloc(size, 0);
  block = realloc((struct block*)old - 1, sizeof(*block) + size);
  if (block == NULL) return NULL;
  block->next->previous = block;
  block->previous->next = block;
  return block + 1;
}

void plumb_heap_free(const void* p) {
  struct block* block;
  if (p == NULL) return;
  block = (struct block*)(uintptr_t)p - 1;
  block->next->previous = block->previous;
  block->previous->next = block->next;
  block_count--;
  free(block);
}

void plumb_heap_reset(void) {
  while (blocks.next != &blocks) plumb_heap_free(blocks.next + 1);
}

size_t plumb_heap_blocks_used(void) { return block_count; }
