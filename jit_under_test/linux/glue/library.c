/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small library functions that kernel code calls, on the C library. */
#include <string.h>

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
  const size_t length = strnlen(from, size);
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
