/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugin ABI 1, as plugins speak it that were built before ABI 2. Finished: nothing here changes.
 * What a field means is said in plugin.h; here are the differences. Private to the host
 * (plugin_v1.cc) and to the test that builds a plugin of then (tools/gates/plugin_versions.sh).
 *
 * Elements of arrays lie struct_size apart, that of the first being the stride; ranges have none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLUMB_V1_PLUGIN_ABI 1

/* 0 is a value in every field, not "unknown"; registers are hardware numbers. */
struct plumb_v1_contract {
  uint32_t struct_size;
  uint8_t empty_slot_consumes_count; /* 0 or 1 */
  uint8_t call_alignment;
  uint8_t result_bits;
  uint8_t frame_rounding;
  uint8_t bpf_register[11];
  uint8_t frame_pointer;
  int32_t r10_bias; /* here the first plugins' contract ends */
  uint8_t calls_keep_count;
  uint8_t landing_pad; /* 0: none, 1: endbr64, 2: bti */
  uint8_t call_preamble;
  uint8_t verifier_rules;
};

struct plumb_v1_plugin_info {
  uint32_t struct_size;
  uint32_t arch;
  const char* name;
  const char* family;
  const char* version;
  const char* origin;
  uint64_t capabilities;
  uint64_t arena_base;
  uint64_t arena_size;
  struct plumb_v1_contract contract;
};

struct plumb_v1_insn {
  uint8_t opcode;
  uint8_t registers;
  int16_t offset;
  int32_t immediate;
};

struct plumb_v1_function {
  uint32_t struct_size;
  uint32_t flags;
  const char* name;
  const struct plumb_v1_insn* insns;
  uint32_t insn_count;
  uint32_t stack_depth;
};

struct plumb_v1_program {
  uint32_t struct_size;
  uint32_t function_count;
  const char* name;
  const struct plumb_v1_function* functions;
};

struct plumb_v1_prog_array {
  uint32_t struct_size;
  uint32_t slot_count;
  const int32_t* slots;
};

struct plumb_v1_load_request {
  uint32_t struct_size;
  uint32_t program_count;
  const struct plumb_v1_program* programs;
  uint32_t array_count;
  uint32_t region_count;
  const struct plumb_v1_prog_array* arrays;
  const uint64_t* region_addresses;
};

struct plumb_v1_native_function {
  uint32_t struct_size;
  uint32_t program;
  uint32_t function;
  uint32_t size;
  uint64_t address;
  uint32_t tail_call_entry; /* UINT32_MAX: never */
  uint32_t stack_size;
  uint32_t tail_call_reachable;
  uint32_t insn_offset_count;
  const uint32_t* insn_offsets;
};

struct plumb_v1_symbol {
  uint32_t struct_size;
  uint32_t kind; /* 1: thunk; any other: data */
  const char* name;
  uint64_t address; /* here the first plugins' symbols end */
  uint64_t size;
};

struct plumb_v1_range {
  uint64_t address;
  uint64_t size;
};

struct plumb_v1_image {
  uint32_t struct_size;
  uint32_t function_count;
  const struct plumb_v1_native_function* functions;
  uint32_t code_range_count;
  uint32_t array_count;
  const struct plumb_v1_range* code_ranges;
  const struct plumb_v1_range* array_objects;
  uint32_t symbol_count;
  uint32_t reserved;
  const struct plumb_v1_symbol* symbols;
  void* handle;
};

struct plumb_v1_plugin {
  uint32_t struct_size;
  uint32_t abi; /* PLUMB_V1_PLUGIN_ABI */
  const struct plumb_v1_plugin_info* info;
  int (*open)(uint64_t arena_base, uint64_t arena_size, char* error, size_t error_size);
  int (*load)(const struct plumb_v1_load_request* request, struct plumb_v1_image* image,
              char* error, size_t error_size);
  void (*unload)(struct plumb_v1_image* image);
  void* update_slot; /* this host does not call it */
};

const struct plumb_v1_plugin* plumb_v1_plugin_entry(void);

#ifdef __cplusplus
}
#endif
