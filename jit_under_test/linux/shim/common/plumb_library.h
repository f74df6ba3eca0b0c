/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library of kernel code: strings, messages and failure, numbers that would be random. What
 * does real work is defined in glue/failure.c and glue/library.c, on the C library.
 */
#ifndef PLUMB_LIBRARY_H
#define PLUMB_LIBRARY_H

#include "plumb_arithmetic.h"

/* ---- C library, by its own names ---- */
void* memcpy(void* to, const void* from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);
size_t strlen(const char* s);
char* strchr(const char* s, int c);
char* strrchr(const char* s, int c);
int strcmp(const char* a, const char* b);
int strncmp(const char* a, const char* b, size_t size);
char* strncpy(char* to, const char* from, size_t size);
int snprintf(char* to, size_t size, const char* format, ...);
int abs(int value);
long strscpy(char* to, const char* from, size_t size);
char* bin2hex(char* to, const void* from, size_t size);
void* bsearch(const void* key, const void* base, size_t count, size_t size,
              int (*compare)(const void*, const void*));
#define isspace(c) ((c) == ' ' || ((c) >= '\t' && (c) <= '\r'))
static inline const char* kbasename(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}
#define scnprintf snprintf
#define strlcpy strscpy
#define strncpy_from_kernel_nofault strscpy
/* Loads that may fault (PROBE_MEM): no program of ours has one. */
#define copy_from_kernel_nofault(to, from, size) (-EFAULT)

/* ---- Failure: glue/host.c ---- */
__attribute__((noreturn)) void plumb_bug(const char* condition, const char* file, int line);
void plumb_warn(const char* condition, const char* file, int line);
void plumb_print(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define BUG() plumb_bug("BUG()", __FILE__, __LINE__)
#define BUG_ON(c)                                                     \
  do {                                                                \
    if (unlikely(c)) plumb_bug("BUG_ON(" #c ")", __FILE__, __LINE__); \
  } while (0)
#define PLUMB_WARN(c, text)                                           \
  ({                                                                  \
    int plumb_warned = !!(c);                                         \
    if (unlikely(plumb_warned)) plumb_warn(text, __FILE__, __LINE__); \
    unlikely(plumb_warned);                                           \
  })
#define WARN_ON(c) PLUMB_WARN(c, "WARN_ON(" #c ")")
#define WARN_ON_ONCE(c) PLUMB_WARN(c, "WARN_ON_ONCE(" #c ")")
#define WARN(c, ...) PLUMB_WARN(c, "WARN(" #c ")")
#define WARN_ONCE(c, ...) PLUMB_WARN(c, "WARN_ONCE(" #c ")")
#define pr_emerg(...) plumb_print(__VA_ARGS__)
#define pr_err(...) plumb_print(__VA_ARGS__)
#define pr_err_once(...) plumb_print(__VA_ARGS__)
#define pr_err_ratelimited(...) plumb_print(__VA_ARGS__)
#define pr_warn(...) plumb_print(__VA_ARGS__)
#define pr_warn_once(...) plumb_print(__VA_ARGS__)
#define pr_warn_ratelimited(...) plumb_print(__VA_ARGS__)
#define pr_info(...) plumb_print(__VA_ARGS__)
#define pr_info_once(...) \
  do {                    \
  } while (0)
#define pr_notice(...) \
  do {                 \
  } while (0)
#define pr_debug(...) \
  do {                \
  } while (0)
#define printk(...) plumb_print(__VA_ARGS__)
#define print_hex_dump(...) \
  do {                      \
  } while (0)
#define dump_stack() \
  do {               \
  } while (0)
#define KERN_ERR ""
#define KERN_WARNING ""
#define KERN_INFO ""

/* ---- Determinism: constants are blinded with a fixed sequence, all else is not random ---- */
unsigned int plumb_random(void);
#define get_random_u32() plumb_random()
#define get_random_u32_below(n) 0u
#define get_random_u32_inclusive(a, b) (a)
#define prandom_u32_max(n) 0u
#define prandom_u32() 0u
#define get_random_int() plumb_random()
#define prandom_u32_state(s) 0u
#define prandom_init_once(s) \
  do {                       \
  } while (0)

#endif
