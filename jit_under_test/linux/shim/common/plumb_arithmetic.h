/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions of kernel code that compute: numbers, byte order, bit operations, bitmaps. */
#ifndef PLUMB_ARITHMETIC_H
#define PLUMB_ARITHMETIC_H

#include "plumb_types.h"

#define __must_be_array(a) 0
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define __round_mask(x, y) ((typeof(x))((y)-1))
#define round_up(x, y) ((((x)-1) | __round_mask(x, y)) + 1)
#define round_down(x, y) ((x) & ~__round_mask(x, y))
#define roundup(x, y) ((((x) + ((y)-1)) / (y)) * (y))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define min(a, b)                          \
  ({                                       \
    typeof(a) plumb_a = (a);               \
    typeof(b) plumb_b = (b);               \
    plumb_a < plumb_b ? plumb_a : plumb_b; \
  })
#define max(a, b)                          \
  ({                                       \
    typeof(a) plumb_a = (a);               \
    typeof(b) plumb_b = (b);               \
    plumb_a > plumb_b ? plumb_a : plumb_b; \
  })
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define swap(a, b)             \
  do {                         \
    typeof(a) plumb_tmp = (a); \
    (a) = (b);                 \
    (b) = plumb_tmp;           \
  } while (0)
#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define lower_32_bits(n) ((u32)((n)&0xffffffff))
#define is_power_of_2(n) ((n) != 0 && ((n) & ((n)-1)) == 0)
#define ilog2(n) (63 - __builtin_clzll(n))
#define fls(n) ((n) ? 32 - __builtin_clz(n) : 0)
#define fls64(n) ((n) ? 64 - __builtin_clzll(n) : 0)
#define __ffs(n) ((unsigned long)__builtin_ctzl(n))
#define __ffs64(n) ((unsigned long)__builtin_ctzll(n))
#define __fls(n) (63ul - (unsigned long)__builtin_clzl(n))
#define ffs(n) __builtin_ffs(n)
#define hweight32(n) __builtin_popcount(n)
#define hweight8(n) __builtin_popcount((u8)(n))
#define hweight16(n) __builtin_popcount((u16)(n))
#define hweight64(n) ((unsigned)__builtin_popcountll(n))
#define hweight_long(n) hweight64(n)
#define div64_s64(a, b) ((s64)(a) / (s64)(b))
#define div64_u64(a, b) ((u64)(a) / (u64)(b))
#define div64_u64_rem(a, b, r) (*(r) = (u64)(a) % (u64)(b), (u64)(a) / (u64)(b))
#define do_div(n, base)                           \
  ({                                              \
    u32 plumb_base = (base);                      \
    u32 plumb_rem = (u32)((u64)(n) % plumb_base); \
    (n) = (u64)(n) / plumb_base;                  \
    plumb_rem;                                    \
  })
static inline s32 sign_extend32(u32 value, int index) {
  return (s32)(value << (31 - index)) >> (31 - index);
}
static inline s64 sign_extend64(u64 value, int index) {
  return (s64)(value << (63 - index)) >> (63 - index);
}
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]
#define cpu_to_le32(x) (x)
#define le32_to_cpu(x) (x)
#define cpu_to_le16(x) (x)
#define cpu_to_le64(x) (x)
#define le64_to_cpu(x) (x)
#define le16_to_cpu(x) (x)
#define be16_to_cpu(x) __builtin_bswap16(x)
#define be32_to_cpu(x) __builtin_bswap32(x)
#define be64_to_cpu(x) __builtin_bswap64(x)
#define cpu_to_be16(x) __builtin_bswap16(x)
#define cpu_to_be32(x) __builtin_bswap32(x)
#define cpu_to_be64(x) __builtin_bswap64(x)
#define swab16(x) __builtin_bswap16(x)
#define swab32(x) __builtin_bswap32(x)
#define swab64(x) __builtin_bswap64(x)
#define __swab16 swab16
#define __swab32 swab32
#define __swab64 swab64
#define htons(x) __builtin_bswap16(x)
#define get_unaligned(p)              \
  ({                                  \
    struct {                          \
      typeof(*(p)) v;                 \
    } __packed* plumb_u = (void*)(p); \
    plumb_u->v;                       \
  })
#define put_unaligned(val, p)         \
  do {                                \
    struct {                          \
      typeof(*(p)) v;                 \
    } __packed* plumb_u = (void*)(p); \
    plumb_u->v = (val);               \
  } while (0)
#define untagged_addr(a) (a)
#define __bf_shf_(x) (__builtin_ffsll(x) - 1)

/* ---- Bitmaps: the pack allocator has at most a few thousand bits ---- */
#define bitmap_zero(map, bits) memset(map, 0, BITS_TO_LONGS(bits) * sizeof(long))
static inline bool test_bit(long bit, const unsigned long* map) {
  return (map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG)) & 1;
}
static inline void __set_bit(long bit, unsigned long* map) {
  map[bit / BITS_PER_LONG] |= 1ul << (bit % BITS_PER_LONG);
}
static inline void __clear_bit(long bit, unsigned long* map) {
  map[bit / BITS_PER_LONG] &= ~(1ul << (bit % BITS_PER_LONG));
}
#define set_bit __set_bit
#define clear_bit __clear_bit
void bitmap_set(unsigned long* map, unsigned int start, unsigned int bits);
void bitmap_clear(unsigned long* map, unsigned int start, unsigned int bits);
/* First run of `bits` clear bits from `start` on; `size` or more when there is none. */
unsigned long bitmap_find_next_zero_area(unsigned long* map, unsigned long size,
                                         unsigned long start, unsigned int bits,
                                         unsigned long align_mask);

#endif
