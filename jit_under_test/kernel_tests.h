/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C ABI of a kernel tree's own BPF tests, lib/test_bpf.c: a shared object that exports
 * plumb_kernel_tests_entry() and hands out the tests as that file has them. Nothing runs in it: it
 * knows programs, data and expected results.
 *
 * Structs start with their size; fields are only added at the end, as in plugin.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "jit_under_test/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLUMB_KERNEL_TESTS_ABI 1
#define PLUMB_KERNEL_TESTS_ENTRY "plumb_kernel_tests_entry"

/* The suites of lib/test_bpf.c, as its module parameter test_suite names them. */
enum plumb_kernel_test_suite {
  PLUMB_SUITE_TEST_BPF = 0,
  PLUMB_SUITE_TAIL_CALLS = 1,  /* programs that tail-call one another by their index */
  PLUMB_SUITE_SKB_SEGMENT = 2, /* no BPF at all */
  PLUMB_SUITE_COUNT = 3
};

enum plumb_kernel_test_flags {
  PLUMB_TEST_CLASSIC = 1u << 0,         /* insns are what the kernel converted from classic BPF */
  PLUMB_TEST_NO_DATA = 1u << 1,         /* the context is a null pointer */
  PLUMB_TEST_PACKET = 1u << 2,          /* the context is a packet: struct sk_buff */
  PLUMB_TEST_MEMORY = 1u << 3,          /* the context is plain memory, of data_size bytes */
  PLUMB_TEST_STATE = 1u << 4,           /* the context is one word, zero at the start */
  PLUMB_TEST_RESULT_IN_STATE = 1u << 5, /* and at the end the result is found there */
  PLUMB_TEST_ZERO_EXTENDED = 1u << 6,   /* the program has explicit zero extensions */
  PLUMB_TEST_REJECTED = 1u << 7         /* the kernel refused it, as was expected: no insns */
};

struct plumb_kernel_subtest {
  uint32_t data_size;
  uint32_t result; /* of one run */
  /* The context's bytes, context_size of them; NULL: zeros. Pointers in a packet are 0: a program
   * that would follow one is not applicable. */
  const uint8_t* context;
  uint32_t context_size;
  uint32_t reserved;
};

struct plumb_kernel_test {
  uint32_t struct_size;
  uint32_t flags;
  /* References are those of plugin.h. Array 0 is the table of the suite of tail calls: slot i holds
   * test i, the slot behind the last one is empty. */
  const struct plumb_insn* insns;
  uint32_t insn_count;
  uint32_t stack_depth;
  const struct plumb_kernel_subtest* subtests;
  uint32_t subtest_count;
  uint32_t reserved;
  void* handle; /* the tests' own */
};

enum plumb_kernel_test_status {
  PLUMB_TEST_READY = 0,
  PLUMB_TEST_NOT_APPLICABLE = 1, /* cannot be had here: error says why */
  PLUMB_TEST_BROKEN = 2          /* it should have been: error says what happened */
};

struct plumb_kernel_tests {
  uint32_t struct_size;
  uint32_t abi;
  const char* version; /* of the tree */
  uint32_t counts[PLUMB_SUITE_COUNT];
  /* enum plumb_kernel_test_status. What test points to stays valid until release(), which is owed
   * after PLUMB_TEST_READY. */
  int (*get)(uint32_t suite, uint32_t index, struct plumb_kernel_test* test, char* error,
             size_t error_size);
  void (*release)(struct plumb_kernel_test* test);
  const char* (*name)(uint32_t suite, uint32_t index); /* NULL: no such test */
};

const struct plumb_kernel_tests* plumb_kernel_tests_entry(void);

#ifdef __cplusplus
}
#endif
