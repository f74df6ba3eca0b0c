/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C ABI between Plumbline and an interpreter that gives a second opinion: beside the oracle's,
 * on the same case. The interpreter runs natively, in the process that asks it, on memory of that
 * process; so it is asked only about cases that the oracle found to be defined, and in a child
 * process.
 *
 * A shared object, loaded with dlopen(RTLD_NOW | RTLD_LOCAL), that exports one function,
 * plumb_interpreter_entry(). Programs, prog arrays and regions come as in plugin.h, and the rules
 * for growing are the same ("Growing without breaking"). Helpers have no stubs here: call_helper is
 * called instead.
 *
 * Threads: one thread at a time per interpreter.
 */
#pragma once

#include "jit_under_test/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLUMB_INTERPRETER_ABI 2
#define PLUMB_INTERPRETER_ENTRY "plumb_interpreter_entry"

struct plumb_interpreter_info {
  uint32_t struct_size;
  uint32_t reserved;
  const char* name;      /* "linux-6.12" */
  const char* version;   /* "6.12.117" */
  const char* origin;    /* where its source came from, for people; no machine path */
  const char* jits;      /* glob of names: the JITs that come from the same source */
  uint64_t capabilities; /* or of enum plumb_capability */
  /* Of the contract only: empty_slot_consumes_count, calls_keep_count. Null: nothing is known. */
  const struct plumb_contract* contract;
};

/* Calls the helper: with the arguments as they stand in R1 ... R5, pointers as addresses of this
 * process. What it returns is R0. */
typedef uint64_t (*plumb_call_helper)(void* host, int32_t number, const uint64_t arguments[5]);

/* One invocation. */
struct plumb_interpretation {
  uint32_t struct_size;
  uint32_t program; /* where it enters */
  uint64_t context; /* R1 */
  void* host;       /* the first argument of call_helper */
  plumb_call_helper call_helper;
  /* Filled before the first instruction runs: what a prog array is in a register, one per array of
   * the request. */
  uint64_t* array_addresses;
  /* Filled at the end: R0, all 64 bits. */
  uint64_t result;
};

struct plumb_interpreter {
  uint32_t struct_size;
  uint32_t abi; /* PLUMB_INTERPRETER_ABI */
  const struct plumb_interpreter_info* info;

  /* enum plumb_status: PLUMB_LOADED when it ran to its end. The request's region_addresses are
   * where the regions lie in this process. On anything but PLUMB_LOADED, error holds one line. */
  int (*run)(const struct plumb_load_request* request, struct plumb_interpretation* invocation,
             char* error, size_t error_size);
};

/* As plumb_plugin_entry(): the newest interpreter ABI of the host, and sizeof its table. */
const struct plumb_interpreter* plumb_interpreter_entry(uint32_t host_abi, uint32_t host_size);

#ifdef __cplusplus
}
#endif
