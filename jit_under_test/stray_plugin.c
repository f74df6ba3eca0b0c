/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plugin that compiles one function of the form
 *
 *   *(u64 *)(r10 - 8) = 1
 *   r0 = 7
 *   exit
 *
 * to x86-64 code that is right, and, by PLUMB_STRAY, one store more that nobody asked for: no
 * result and no memory that a program can see shows it. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "jit_under_test/plugin.h"

enum {
  STRAY_NONE,
  STRAY_NEAR,  /* mov qword [rbp + 16], 0: right above the invocation's entry */
  STRAY_FAR,   /* mov qword [rbp + 512], 0 */
  STRAY_STACK, /* mov qword [rbp - 8], 0x77: over what the program stored */
  STRAY_BELOW  /* mov qword [rsp - 64], 0 */
};

#ifndef PLUMB_STRAY
#define PLUMB_STRAY STRAY_NONE
#endif

enum { kInsns = 3, kStackSize = 8 };

static uint64_t arena;
static uint32_t offsets[kInsns + 1];
static struct plumb_native_function function;
static struct plumb_range code;

static int open_arena(uint64_t base, uint64_t size, char* error, size_t error_size) {
  (void)size;
  (void)error;
  (void)error_size;
  arena = base;
  return 0;
}

struct buffer {
  uint8_t* begin;
  uint32_t size;
};

static void emit(struct buffer* to, const uint8_t* bytes, uint32_t size) {
  memcpy(to->begin + to->size, bytes, size);
  to->size += size;
}
#define EMIT(to, ...)                             \
  do {                                            \
    static const uint8_t bytes[] = {__VA_ARGS__}; \
    emit(to, bytes, sizeof(bytes));               \
  } while (0)

static void stray_store(struct buffer* to) {
  switch (PLUMB_STRAY) {
    case STRAY_NEAR:
      EMIT(to, 0x48, 0xc7, 0x45, 0x10, 0, 0, 0, 0);
      break;
    case STRAY_FAR:
      EMIT(to, 0x48, 0xc7, 0x85, 0, 2, 0, 0, 0, 0, 0, 0);
      break;
    case STRAY_STACK:
      EMIT(to, 0x48, 0xc7, 0x45, 0xf8, 0x77, 0, 0, 0);
      break;
    case STRAY_BELOW:
      EMIT(to, 0x48, 0xc7, 0x44, 0x24, 0xc0, 0, 0, 0, 0);
      break;
    default:
      break;
  }
}

static int load(const struct plumb_load_request* request, struct plumb_image* image, char* error,
                size_t error_size) {
  const uint64_t address = arena + PLUMB_STUB_SIZE;
  struct buffer to = {(uint8_t*)(uintptr_t)address, 0};

  /* The first element lies where the array begins, whatever the stride. */
  if (request->program_count != 1 || request->programs[0].function_count != 1 ||
      request->programs[0].functions[0].insn_count != kInsns) {
    snprintf(error, error_size, "it has another form");
    return PLUMB_NOT_APPLICABLE;
  }
  EMIT(&to, 0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, kStackSize); /* push rbp; mov; sub rsp */
  offsets[0] = to.size;
  EMIT(&to, 0x48, 0xc7, 0x45, 0xf8, 1, 0, 0, 0); /* mov qword [rbp - 8], 1 */
  offsets[1] = to.size;
  stray_store(&to);
  EMIT(&to, 0xb8, 7, 0, 0, 0); /* mov eax, 7 */
  offsets[2] = to.size;
  EMIT(&to, 0xc9, 0xc3); /* leave; ret */
  offsets[3] = to.size;

  memset(&function, 0, sizeof(function));
  function.struct_size = sizeof(function);
  function.size = to.size;
  function.address = address;
  function.tail_call_entry = PLUMB_OFFSET_NEVER;
  function.stack_size = kStackSize;
  function.insn_offset_count = kInsns + 1;
  function.insn_offsets = offsets;
  code.address = address;
  code.size = 4096;
  image->function_count = 1;
  image->function_stride = sizeof(function);
  image->functions = &function;
  image->code_range_count = 1;
  image->code_range_stride = sizeof(code);
  image->code_ranges = &code;
  return PLUMB_LOADED;
}

static void unload(struct plumb_image* image) { (void)image; }

static const struct plumb_contract contract = {
    .struct_size = sizeof(struct plumb_contract),
    .bpf_register = {PLUMB_REGISTER(0), PLUMB_REGISTER(7), PLUMB_REGISTER(6), PLUMB_REGISTER(2),
                     PLUMB_REGISTER(1), PLUMB_REGISTER(8), PLUMB_REGISTER(3), PLUMB_REGISTER(13),
                     PLUMB_REGISTER(14), PLUMB_REGISTER(15), PLUMB_REGISTER(5)},
    .frame_pointer = PLUMB_REGISTER(5),
    .r10_bias_known = PLUMB_YES,
    .r10_moved_by = PLUMB_CALLEE,
    .r10_only_where_used = PLUMB_YES,
    .r6_r9_saved_by = PLUMB_CALLEE,
    .call_alignment = 8,
    .sp_at_calls = PLUMB_SP_CONSTANT,
    .result_bits = 64,
    .bpf_stack = PLUMB_STACK_IN_FRAME,
    .frame_rounding = 8,
    .division_by_zero = PLUMB_DIVISION_RFC,
    .empty_slot_consumes_count = PLUMB_NO,
    .calls_keep_count = PLUMB_NO,
    .landing_pad = PLUMB_LANDING_PAD_NONE,
    .count_in_frames = PLUMB_NO,
};

static const struct plumb_plugin_info info = {
    .struct_size = sizeof(info),
    .arch = PLUMB_ARCH_X86_64,
    .name = "stray-1-x86_64",
    .family = "stray",
    .version = "1",
    .origin = "a test",
    .capabilities = 0,
    .arena_base = 0x34000000u,
    .arena_size = 1u << 20,
    .contract = &contract,
};

static const struct plumb_plugin plugin = {
    .struct_size = sizeof(plugin),
    .abi = PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = open_arena,
    .load = load,
    .unload = unload,
};

const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  (void)host_size;
  return host_abi >= PLUMB_PLUGIN_ABI ? &plugin : NULL;
}
