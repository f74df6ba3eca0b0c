/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small library functions that kernel code calls, on the C library. */
#include <string.h>

#include "glue/host.h"

void bitmap_set(unsigned long* map, unsigned int start, unsigned int bits);
void bitmap_clear(unsigned long* map, unsigned int start, unsigned int bits);
unsigned long bitmap_find_next_zero_area(unsigned long* map, unsigned long size,
                                         unsigned long start, unsigned int bits,
                                         unsigned long align_mask);
long strscpy(char* to, const char* from, size_t size);
char* bin2hex(char* to, const void* from, size_t size);

enum { kBitsPerLong = 64 };

void bitmap_set(unsigned long* map, unsigned int start, unsigned int bits) {
  for (unsigned int i = start; i < start + bits; i++)
    map[i / kBitsPerLong] |= 1ul << (i % kBitsPerLong);
}

void bitmap_clear(unsigned long* map, unsigned int start, unsigned int bits) {
  for (unsigned int i = start; i < start + bits; i++)
    map[i / kBitsPerLong] &= ~(1ul << (i % kBitsPerLong));
}

unsigned long bitmap_find_next_zero_area(unsigned long* map, unsigned long size,
                                         unsigned long start, unsigned int bits,
                                         unsigned long align_mask) {
  unsigned long run = 0;
  (void)align_mask; /* the pack allocator asks for none */
  for (unsigned long i = start; i < size; i++) {
    run = (map[i / kBitsPerLong] >> (i % kBitsPerLong)) & 1 ? 0 : run + 1;
    if (run == bits) return i + 1 - bits;
  }
  return size;
}

long strscpy(char* to, const char* from, size_t size) {
  const char* end = memchr(from, '\0', size);
  const size_t length = end ? (size_t)(end - from) : size;
  if (size == 0) return -7; /* -E2BIG */
  memcpy(to, from, length < size ? length + 1 : size);
  to[size - 1] = '\0';
  return length < size ? (long)length : -7;
}

char* bin2hex(char* to, const void* from, size_t size) {
  static const char kDigits[] = "0123456789abcdef";
  const unsigned char* bytes = from;
  for (size_t i = 0; i < size; i++) {
    *to++ = kDigits[bytes[i] >> 4];
    *to++ = kDigits[bytes[i] & 15];
  }
  return to;
}

/* SplitMix32. Constant blinding hides behind these numbers: zeros would hide nothing. */
static uint32_t random_state;

void plumb_random_restart(void) { random_state = 0; }

uint32_t plumb_random(void) {
  uint32_t z = (random_state += 0x9e3779b9u);
  z = (z ^ z >> 16) * 0x85ebca6bu;
  z = (z ^ z >> 13) * 0xc2b2ae35u;
  return z ^ z >> 16;
}
