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
  LIE_SYMBOL_SHORT,   /* symbols that end before their address */
  LIE_SYMBOL_NAMELESS,
  LIE_NO_FUNCTIONS,  /* a count without a list */
  LIE_ARENA_SMALL,   /* less than the stubs take */
  LIE_FAMILY,        /* a name that leads out of a directory */
  LIE_SERVES_OTHERS, /* no table for this host */
  LIE_TOO_MUCH,      /* writes more of the image than there is room for */
  LIE_HASH,          /* a hash that reaches into the function */
  LIE_SIGNED,        /* what only arm64 has */
  LIE_NO_CLAIMS,     /* announces rows and has no claims() */
  LIE_CLAIMS_FAIL,   /* cannot say what it claims */
  LIE_CLAIMS_LONG,   /* writes more of the claims than there is room for */
  LIE_ROWS_DESCEND,
  LIE_ROW_OUTSIDE, /* a row for a stub */
  LIE_ROW_SHORT,   /* rows that end before their offsets */
  CLAIMS,          /* no lie: hands over rows, and says where its frame pointer heads a chain */
  LIE_THROWS_FAIL, /* cannot say how throws find their way */
  LIE_THROWS_LONG, /* writes more about it than there is room for */
  LIE_THROWS_ELSEWHERE, /* has the callback called in its middle */
  THROWS,               /* no lie: has throws, and says how they find their way */
  THROWS_SILENT,        /* no lie: has throws, and no throw_info() */
  LEAKS,                /* no lie: says that each load leaves two pieces of memory behind */
  NOTHING_KNOWN         /* no lie: short structs, no contract, no instruction offsets */
};

#ifndef PLUMB_TESTING_LIE
#define PLUMB_TESTING_LIE LIE_NONE
#endif

#define HAS_CLAIMS (PLUMB_TESTING_LIE >= LIE_NO_CLAIMS && PLUMB_TESTING_LIE <= CLAIMS)

#define HAS_THROWS (PLUMB_TESTING_LIE >= LIE_THROWS_FAIL && PLUMB_TESTING_LIE <= THROWS_SILENT)

enum { kMaxFunctions = 8, kMaxInsns = 64 };

static uint64_t arena;
static uint32_t offsets[kMaxFunctions][kMaxInsns + 1];
static struct plumb_native_function functions[kMaxFunctions];
static struct plumb_range code;
static uint64_t loads;
static uint32_t function_count;
static uint32_t callback; /* the last exception callback among all functions */

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
  to->tail_call_entry = PLUMB_OFFSET_NEVER;
  if (PLUMB_TESTING_LIE == NOTHING_KNOWN) {
    to->struct_size = offsetof(struct plumb_native_function, tail_call_reachable);
    to->tail_call_entry = PLUMB_OFFSET_UNKNOWN;
    to->stack_size = PLUMB_SIZE_UNKNOWN;
    return;
  }
  to->insn_offset_count = from->insn_count + 1;
  to->insn_offsets = offsets[slot];
}

/* Two thunks behind the code. */
static void describe_symbols(struct plumb_image* image) {
  static struct plumb_symbol symbols[2];
  uint32_t i;

  for (i = 0; i < 2; i++) {
    symbols[i].struct_size = sizeof(symbols[i]);
    if (PLUMB_TESTING_LIE == NOTHING_KNOWN)
      symbols[i].struct_size = offsetof(struct plumb_symbol, size);
    if (PLUMB_TESTING_LIE == LIE_SYMBOL_SHORT) symbols[i].struct_size = 4;
    symbols[i].kind = PLUMB_SYMBOL_THUNK;
    symbols[i].name = PLUMB_TESTING_LIE == LIE_SYMBOL_NAMELESS ? NULL : "thunk";
    symbols[i].address = arena + PLUMB_STUB_SIZE + 2048 + 32 * i;
    if (PLUMB_TESTING_LIE == LIE_SYMBOL_OUTSIDE) symbols[i].address = arena - 16 + 32 * i;
    symbols[i].size = 24;
  }
  image->symbols = symbols;
  image->symbol_stride = sizeof(symbols[0]);
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
  loads++;
  for (p = 0; p < request->program_count; p++) {
    const struct plumb_program* program =
        PLUMB_AT(struct plumb_program, request->programs, request->program_stride, p);
    for (f = 0; f < program->function_count; f++) {
      const struct plumb_function* function =
          PLUMB_AT(struct plumb_function, program->functions, program->function_stride, f);
      if (function->flags & PLUMB_FUNCTION_EXCEPTION_CALLBACK) callback = count;
      compile(function, p, f, count++);
    }
  }
  function_count = count;
  code.address = arena + PLUMB_STUB_SIZE;
  code.size = 4096;
  image->function_count = PLUMB_TESTING_LIE == LIE_COUNT ? count - 1 : count;
  image->function_stride = sizeof(functions[0]);
  image->functions = PLUMB_TESTING_LIE == LIE_NO_FUNCTIONS ? NULL : functions;
  image->code_range_count = 1;
  image->code_range_stride = sizeof(code);
  image->code_ranges = &code;
  describe_symbols(image);
  if (PLUMB_TESTING_LIE == LIE_TOO_MUCH) memset((char*)image + image->struct_size, 7, 8);
  return PLUMB_LOADED;
}

/* No function moves the stack pointer. */
static int claims(struct plumb_image* image, struct plumb_claims* to, char* error,
                  size_t error_size) {
  static struct plumb_unwind_row rows[kMaxFunctions + 1];
  static struct plumb_range fp_ranges[1];
  uint32_t i;

  (void)image;
  if (PLUMB_TESTING_LIE == LIE_CLAIMS_FAIL) {
    snprintf(error, error_size, "it is a secret");
    return -1;
  }
  memset(rows, 0, sizeof(rows));
  for (i = 0; i <= function_count; i++) {
    rows[i].struct_size = PLUMB_TESTING_LIE == LIE_ROW_SHORT
                              ? (uint32_t)offsetof(struct plumb_unwind_row, fp_offset)
                              : (uint32_t)sizeof(rows[i]);
    rows[i].address = arena + PLUMB_STUB_SIZE + 16u * i;
    rows[i].cfa_register = PLUMB_REGISTER(4);
    rows[i].cfa_offset = 8;
    rows[i].fp_rule = PLUMB_SAVED_SAME;
    rows[i].ra_rule = PLUMB_SAVED_AT_OFFSET;
    rows[i].ra_offset = -8;
  }
  rows[function_count].cfa_register = PLUMB_NO_REGISTER;
  if (PLUMB_TESTING_LIE == LIE_ROWS_DESCEND) rows[1].address = rows[0].address;
  if (PLUMB_TESTING_LIE == LIE_ROW_OUTSIDE) rows[0].address = arena;
  fp_ranges[0].address = arena + PLUMB_STUB_SIZE + 16 + 2;
  fp_ranges[0].size = 1;
  to->row_count = function_count + 1;
  to->row_stride = sizeof(rows[0]);
  to->rows = rows;
  to->fp_range_count = 1;
  to->fp_range_stride = sizeof(fp_ranges[0]);
  to->fp_ranges = fp_ranges;
  if (PLUMB_TESTING_LIE == LIE_CLAIMS_LONG) memset((char*)to + to->struct_size, 7, 8);
  return 0;
}

/* Of cases with one program. */
static int throw_info(struct plumb_image* image, uint32_t program, struct plumb_throw_info* to,
                      char* error, size_t error_size) {
  (void)image;
  if (PLUMB_TESTING_LIE == LIE_THROWS_FAIL) {
    snprintf(error, error_size, "it is a secret");
    return -1;
  }
  to->program = program;
  to->sp_rule = PLUMB_THROW_SP_AT_CALL;
  to->callback = functions[callback].address;
  if (PLUMB_TESTING_LIE == LIE_THROWS_ELSEWHERE) to->callback += 2;
  if (PLUMB_TESTING_LIE == LIE_THROWS_LONG) memset((char*)to + to->struct_size, 7, 8);
  return 0;
}

static void unload(struct plumb_image* image) { (void)image; }

static uint64_t pieces_held(void) { return PLUMB_TESTING_LIE == LEAKS ? 2 * loads : 5; }

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
    .result_bits = PLUMB_TESTING_LIE == LIE_CONTRACT ? 48 : 64,
    .bpf_stack = PLUMB_STACK_IN_FRAME,
    .frame_rounding = 8,
    .division_by_zero = PLUMB_DIVISION_RFC,
    .empty_slot_consumes_count = PLUMB_NO,
    .calls_keep_count = PLUMB_NO,
    .landing_pad = PLUMB_TESTING_LIE == LIE_LANDING_PAD ? 4 : PLUMB_LANDING_PAD_ENDBR64,
    .call_preamble = 16,
    .verifier_rules = PLUMB_VERIFIER_ROUNDS_TO_16 | PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK,
    .count_in_frames = PLUMB_NO,
    .constants_blinded = PLUMB_YES,
    .return_addresses_signed = PLUMB_TESTING_LIE == LIE_SIGNED ? PLUMB_YES : PLUMB_NO,
    .cfi_hashes = PLUMB_YES,
    .cfi_hash_below = PLUMB_TESTING_LIE == LIE_HASH ? 3 : 9,
    .cfi_hash_of_program = 0x11223344,
    .cfi_hash_of_callback = 0x55667788,
};

static const struct plumb_plugin_info info = {
    .struct_size = sizeof(info),
    .arch = PLUMB_TESTING_LIE == LIE_ARCH ? 9 : PLUMB_ARCH_X86_64,
    .name = PLUMB_TESTING_LIE == LIE_NO_NAME ? NULL : "testing-1-x86_64",
    .family = PLUMB_TESTING_LIE == LIE_FAMILY ? "../testing" : "testing",
    .version = "1",
    .origin = "a test",
    .capabilities = PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAKE_BASE |
                    (HAS_CLAIMS ? PLUMB_GIVES_UNWIND_ROWS : 0) | (HAS_THROWS ? PLUMB_CAN_THROW : 0),
    .arena_base = PLUMB_TESTING_LIE == LIE_ARENA_HIGH ? 0x100000000u : 0x30000000u,
    .arena_size = PLUMB_TESTING_LIE == LIE_ARENA_SMALL ? 4096 : 1u << 20,
    .contract = PLUMB_TESTING_LIE == NOTHING_KNOWN ? NULL : &contract,
};

static const struct plumb_plugin plugin = {
    .struct_size = PLUMB_TESTING_LIE == LIE_SHORT_TABLE ? 8
                   : PLUMB_TESTING_LIE == NOTHING_KNOWN ? offsetof(struct plumb_plugin, update_slot)
                                                        : sizeof(plugin),
    .abi = PLUMB_TESTING_LIE == LIE_ABI ? 99 : PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = open_arena,
    .load = PLUMB_TESTING_LIE == LIE_NO_LOAD ? NULL : load,
    .unload = unload,
    /* Those that do not announce it are not asked. */
    .claims = PLUMB_TESTING_LIE == LIE_NO_CLAIMS ? NULL : claims,
    .throw_info = PLUMB_TESTING_LIE == THROWS_SILENT ? NULL : throw_info,
    .pieces_held = pieces_held,
};

const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  (void)host_size;
  if (PLUMB_TESTING_LIE == LIE_SERVES_OTHERS) return NULL;
  return host_abi >= PLUMB_PLUGIN_ABI ? &plugin : NULL;
}
