/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The honest testing plugin, but for one thing that a plugin must not do: PLUMB_HOSTILE says which.
 * None of it is to reach anybody but the process that holds the plugin. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define plumb_plugin_entry honest_plugin_entry
#include "jit_under_test/testing_plugin.c"
#undef plumb_plugin_entry

enum {
  HOSTILE_NONE,
  HOSTILE_EXIT_IN_LOAD,
  HOSTILE_EXIT_IN_UNLOAD,
  HOSTILE_EXIT_IN_CONSTRUCTOR,
  HOSTILE_ABORT,
  HOSTILE_HANG_IN_LOAD,
  HOSTILE_HANG_IN_OPEN,
  HOSTILE_FORK,      /* ends; what it began holds on to what it inherited */
  HOSTILE_MEMORY,    /* allocates without end */
  HOSTILE_STDOUT,    /* prints, wherever it gets to run */
  HOSTILE_ESCAPES,   /* refuses, in words that are no line of text */
  HOSTILE_LONGJMP,   /* leaves load() by longjmp() */
  HOSTILE_EXCEPTION, /* leaves load() by a C++ exception (hostile_exception.cc) */
  HOSTILE_OVERWRITE, /* writes over what it was given, and what lies behind it */
  HOSTILE_KILLED     /* dies of SIGKILL, as if somebody had killed it */
};

#ifndef PLUMB_HOSTILE
#define PLUMB_HOSTILE HOSTILE_NONE
#endif

#if PLUMB_HOSTILE == HOSTILE_EXCEPTION
void throw_exception(void);
#else
static void throw_exception(void) {}
#endif

static const char forged[] = "]}\nplumb: the harness failed: forged\n\033[2Jall conforms\n";
static jmp_buf in_open;
static struct plumb_contract hostile_contract;
static struct plumb_plugin_info hostile_info;
static struct plumb_plugin hostile;

static void print(void) {
  if (PLUMB_HOSTILE != HOSTILE_STDOUT) return;
  (void)!write(STDOUT_FILENO, forged, sizeof(forged) - 1);
  fputs(forged, stdout);
  fputs(forged, stderr);
}

__attribute__((constructor)) static void construct(void) {
  print();
  if (PLUMB_HOSTILE == HOSTILE_EXIT_IN_CONSTRUCTOR) exit(0);
}

__attribute__((destructor)) static void destruct(void) { print(); }

static int hostile_open(uint64_t base, uint64_t size, char* error, size_t error_size) {
  print();
  while (PLUMB_HOSTILE == HOSTILE_HANG_IN_OPEN) pause();
  if (setjmp(in_open) != 0) return 0;
  return open_arena(base, size, error, error_size);
}

static void misbehave(const struct plumb_load_request* request, struct plumb_image* image) {
  switch (PLUMB_HOSTILE) {
    case HOSTILE_EXIT_IN_LOAD:
      exit(0);
    case HOSTILE_ABORT:
      abort();
    case HOSTILE_HANG_IN_LOAD:
      for (;;) pause();
    case HOSTILE_FORK:
      if (fork() == 0) {
        for (;;) pause();
      }
      _exit(0);
    case HOSTILE_MEMORY:
      for (;;) memset(malloc(1u << 22), 1, 1);
    case HOSTILE_LONGJMP:
      longjmp(in_open, 1);
    case HOSTILE_EXCEPTION:
      throw_exception();
      break;
    case HOSTILE_OVERWRITE:
      memset((void*)request->programs->functions->insns, 0xff, 8);
      memset((void*)request->programs, 0xff, sizeof(*request->programs));
      memset(&hostile_info, 0xff, sizeof(hostile_info));
      memset(&hostile, 0xff, sizeof(hostile));
      memset(image, 0xff, 4096);
      break;
    case HOSTILE_KILLED:
      raise(SIGKILL);
  }
}

static int hostile_load(const struct plumb_load_request* request, struct plumb_image* image,
                        char* error, size_t error_size) {
  uint32_t count = 0, p, f;

  print();
  if (PLUMB_HOSTILE == HOSTILE_ESCAPES) {
    snprintf(error, error_size, "%s\xff\xfe", forged);
    return PLUMB_REFUSED;
  }
  misbehave(request, image);
  /* The honest plugin has room for that. */
  for (p = 0; p < request->program_count; p++) {
    for (f = 0; f < request->programs[p].function_count; f++, count++) {
      if (request->programs[p].functions[f].insn_count > kMaxInsns) return PLUMB_NOT_APPLICABLE;
    }
  }
  return count <= kMaxFunctions ? load(request, image, error, error_size) : PLUMB_NOT_APPLICABLE;
}

static void hostile_unload(struct plumb_image* image) {
  print();
  if (PLUMB_HOSTILE == HOSTILE_EXIT_IN_UNLOAD) exit(0);
  unload(image);
}

const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  (void)host_abi;
  (void)host_size;
  hostile_contract = contract;
  hostile_contract.landing_pad = PLUMB_LANDING_PAD_NONE; /* its code has none */
  hostile_contract.cfi_hashes = PLUMB_NO;
  hostile_contract.call_preamble = 0;
  hostile_info = info;
  hostile_info.name = "hostile-1-x86_64";
  hostile_info.family = "hostile";
  hostile_info.contract = &hostile_contract;
  hostile = plugin;
  hostile.info = &hostile_info;
  hostile.open = hostile_open;
  hostile.load = hostile_load;
  hostile.unload = hostile_unload;
  return &hostile;
}
