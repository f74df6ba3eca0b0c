/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "glue/host.h"

enum { kPageShift = 12, kMaxPages = 1 << 16 };

static struct {
  char* base;
  size_t pages;
  size_t used;
  size_t first_free; /* no free page below this one */
  int was_full;
  /* Per page: 0 free, else the length of the allocation at its first page, ~0 inside one. */
  uint32_t run[kMaxPages];
} arena;

/* Modules of the kernel live between these; the verifier takes the first as a placeholder. */
unsigned long plumb_arena_begin, plumb_arena_end;

void plumb_arena_init(uint64_t begin, uint64_t size) {
  arena.base = (char*)(uintptr_t)begin;
  arena.pages = (size_t)(size >> kPageShift);
  if (arena.pages > kMaxPages) arena.pages = kMaxPages;
  plumb_arena_begin = (unsigned long)begin;
  plumb_arena_end = (unsigned long)(begin + size);
  plumb_arena_reset();
}

void plumb_arena_reset(void) {
  memset(arena.run, 0, sizeof(arena.run));
  arena.used = 0;
  arena.first_free = 0;
}

void* plumb_arena_alloc(size_t size, int zero) {
  const size_t pages = (size + (1u << kPageShift) - 1) >> kPageShift;
  size_t start = arena.first_free;
  if (pages == 0) return NULL;
  while (start + pages <= arena.pages) {
    size_t length = 0;
    while (length < pages && arena.run[start + length] == 0) length++;
    if (length == pages) {
      char* p = arena.base + (start << kPageShift);
      size_t i;
      arena.run[start] = (uint32_t)pages;
      for (i = 1; i < pages; i++) arena.run[start + i] = UINT32_MAX;
      if (start == arena.first_free) arena.first_free = start + pages;
      arena.used += pages;
      if (zero) memset(p, 0, pages << kPageShift);
      return p;
    }
    /* The page that stopped us starts an allocation: skip all of it. */
    start += length + arena.run[start + length];
  }
  arena.was_full = 1;
  return NULL;
}

void plumb_arena_free(const void* p) {
  size_t page, pages;
  if (p == NULL) return;
  page = (size_t)((const char*)p - arena.base) >> kPageShift;
  pages = arena.run[page];
  memset(&arena.run[page], 0, pages * sizeof(arena.run[0]));
  arena.used -= pages;
  if (page < arena.first_free) arena.first_free = page;
}

int plumb_arena_was_full(void) {
  const int was_full = arena.was_full;
  arena.was_full = 0;
  return was_full;
}

size_t plumb_arena_pages_used(void) { return arena.used; }
