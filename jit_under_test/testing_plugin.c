/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plugin that "compiles" every function to `xor eax, eax; ret`, and, by PLUMB_TESTING_LIE, one
 * that breaks the ABI in one way. For tests of the loader. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "jit_under_test/plugin.h"

enum {
  LIE_NONE,
  LIE_ABI,
  LIE_SHORT_TABLE,
  LIE_NO_NAME,
  LIE_ARCH,
  LIE_ARENA_HIGH,
  LIE_CANNOT_OPEN,
  LIE_NO_LOAD,
  LIE_CONTRACT,
  LIE_OUTSIDE, /* code outside the arena */
  LIE_OFFSETS, /* instruction offsets that decrease */
  LIE_COUNT,   /* a function is missing */
  LIE_TWICE,   /* a function is there twice */
  LIE_REFUSED,
  LIE_STATUS, /* a status that does not exist */
  LIE_LANDING_PAD,
  LIE_SYMBOL_OUTSIDE, /* a thunk outside the arena */
  LIE_SYMBOL_SHORT,   /* symbols of four bytes each */
  LIE_SYMBOL_NAMELESS,
  LIE_NO_FUNCTIONS, /* a count without a list */
  LIE_ARENA_SMALL,  /* less than the stubs take */
  OLD_SYMBOLS /* no lie: symbols without a size, nothing about the verifier: as it was before */
};

#ifndef PLUMB_TESTING_LIE
#define PLUMB_TESTING_LIE LIE_NONE
#endif

enum { kMaxFunctions = 8, kMaxInsns = 64 };

static uint64_t arena;
static uint32_t offsets[kMaxFunctions][kMaxInsns + 1];
static struct plumb_native_function functions[kMaxFunctions];
static struct plumb_range code;

static int open_arena(uint64_t base, uint64_t size, char* error, size_t error_size) {
  (void)size;
  arena = base;
  if (PLUMB_TESTING_LIE == LIE_CANNOT_OPEN) {
    snprintf(error, error_size, "no luck today");
    return -1;
  }
  return 0;
}

static void compile(const struct plumb_function* from, uint32_t program, uint32_t index,
                    uint32_t slot) {
  static const uint8_t bytes[16] = {0x31, 0xc0, 0xc3};
  struct plumb_native_function* to = &functions[slot];
  uint64_t address = arena + PLUMB_STUB_SIZE + 16u * slot;
  uint32_t i;

  memcpy((void*)(uintptr_t)address, bytes, sizeof(bytes));
  for (i = 0; i <= from->insn_count; i++) offsets[slot][i] = i == from->insn_count ? 3 : 0;
  if (PLUMB_TESTING_LIE == LIE_OFFSETS) offsets[slot][0] = 2;
  if (PLUMB_TESTING_LIE == LIE_OUTSIDE) address = arena - 16;
  memset(to, 0, sizeof(*to));
  to->struct_size = sizeof(*to);
  to->program = program;
  to->function = PLUMB_TESTING_LIE == LIE_TWICE ? 0 : index;
  to->size = 16;
  to->address = address;
  to->tail_call_entry = UINT32_MAX;
  to->insn_offset_count = from->insn_count + 1;
  to->insn_offsets = offsets[slot];
}

/* Two thunks behind the code. The first version of struct plumb_symbol ended before the size. */
static void describe_symbols(struct plumb_image* image) {
  static struct plumb_symbol symbols[2];
  static const size_t old_size = offsetof(struct plumb_symbol, size);
  struct plumb_symbol symbol = {.struct_size = sizeof(symbol),
                                .kind = PLUMB_SYMBOL_THUNK,
                                .name = PLUMB_TESTING_LIE == LIE_SYMBOL_NAMELESS ? NULL : "thunk",
                                .size = 24};
  size_t stride = sizeof(symbol), i;

  if (PLUMB_TESTING_LIE == OLD_SYMBOLS) symbol.struct_size = (uint32_t)(stride = old_size);
  if (PLUMB_TESTING_LIE == LIE_SYMBOL_SHORT) symbol.struct_size = 4;
  for (i = 0; i < 2; i++) {
    symbol.address = arena + (PLUMB_TESTING_LIE == LIE_SYMBOL_OUTSIDE ? 0 : 2048) - 16 + 32 * i;
    memcpy((char*)symbols + i * stride, &symbol, stride);
  }
  image->symbols = symbols;
  image->symbol_count = 2;
}

static int load(const struct plumb_load_request* request, struct plumb_image* image, char* error,
                size_t error_size) {
  uint32_t count = 0, p, f;

  if (PLUMB_TESTING_LIE == LIE_REFUSED) {
    snprintf(error, error_size, "not this one");
    return PLUMB_REFUSED;
  }
  if (PLUMB_TESTING_LIE == LIE_STATUS) return 77;
  for (p = 0; p < request->program_count; p++) {
    for (f = 0; f < request->programs[p].function_count; f++) {
      compile(&request->programs[p].functions[f], p, f, count++);
    }
  }
  code.address = arena + PLUMB_STUB_SIZE;
  code.size = 4096;
  image->function_count = PLUMB_TESTING_LIE == LIE_COUNT ? count - 1 : count;
  image->functions = PLUMB_TESTING_LIE == LIE_NO_FUNCTIONS ? NULL : functions;
  image->code_range_count = 1;
  image->code_ranges = &code;
  describe_symbols(image);
  return PLUMB_LOADED;
}

static void unload(struct plumb_image* image) { (void)image; }

static const struct plumb_plugin_info info = {
    .struct_size = sizeof(info),
    .arch = PLUMB_TESTING_LIE == LIE_ARCH ? 9 : PLUMB_ARCH_X86_64,
    .name = PLUMB_TESTING_LIE == LIE_NO_NAME ? NULL : "testing-1-x86_64",
    .family = "testing",
    .version = "1",
    .origin = "a test",
    .capabilities = PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAKE_BASE,
    .arena_base = PLUMB_TESTING_LIE == LIE_ARENA_HIGH ? 0x100000000u : 0x30000000u,
    .arena_size = PLUMB_TESTING_LIE == LIE_ARENA_SMALL ? 4096 : 1u << 20,
    .contract = {.struct_size = sizeof(struct plumb_contract),
                 .call_alignment = 8,
                 .result_bits = PLUMB_TESTING_LIE == LIE_CONTRACT ? 48 : 64,
                 .frame_rounding = 8,
                 .bpf_register = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5},
                 .frame_pointer = 5,
                 .r10_bias = 0,
                 .landing_pad = PLUMB_TESTING_LIE == LIE_LANDING_PAD ? 3 : 1,
                 .call_preamble = 16,
                 .verifier_rules =
                     PLUMB_TESTING_LIE == OLD_SYMBOLS
                         ? 0 /* as before there was such a field */
                         : PLUMB_VERIFIER_ROUNDS_TO_16 | PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK},
};

static const struct plumb_plugin plugin = {
    .struct_size = PLUMB_TESTING_LIE == LIE_SHORT_TABLE ? 8 : sizeof(plugin),
    .abi = PLUMB_TESTING_LIE == LIE_ABI ? 99 : PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = open_arena,
    .load = PLUMB_TESTING_LIE == LIE_NO_LOAD ? NULL : load,
    .unload = unload,
    .update_slot = NULL,
};

const struct plumb_plugin* plumb_plugin_entry(void) { return &plugin; }
