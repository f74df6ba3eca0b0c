/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plugin that can be built against any version of plugin.h (tools/gates/plugin_versions.sh): it
 * compiles functions of the form `r0 = N; exit`. What the header's version adds is filled with
 * rubbish that nobody may look at.
 *
 *   HEADER_OLDER    the last fields of every struct are not there
 *   HEADER_NEWER    every struct has plumb_unknown[] at its end
 *   FIRST           ABI 1 only: structs as the very first plugins had them
 *   RUDE            serves any host
 *   IGNORES_ROOM    a mistake: writes an image of its own size
 *   IGNORES_STRIDE  a mistake: takes elements of the host's arrays with []
 */
#include "plugin.h"

#include <stdio.h>
#include <string.h>

enum { kMost = 16 };

#ifdef HEADER_NEWER
#define RUBBISH(object) memset((object)->plumb_unknown, 0xab, sizeof((object)->plumb_unknown))
#else
#define RUBBISH(object) ((void)0)
#endif

static uint64_t arena;
static uint32_t offsets[kMost][3];
static struct plumb_native_function natives[kMost];
static struct plumb_range code, arrays[2];
static struct plumb_symbol symbols[2];

static int open_arena(uint64_t base, uint64_t size, char* error, size_t error_size) {
  (void)size, (void)error, (void)error_size;
  arena = base;
  return 0;
}

static int compile(uint32_t program, uint32_t index, const struct plumb_function* from,
                   uint32_t slot) {
  struct plumb_native_function* to = &natives[slot];
  uint8_t* at = (uint8_t*)(uintptr_t)(arena + PLUMB_STUB_SIZE + 16u * slot);
  if (slot == kMost || from->insn_count != 2 || from->insns[0].opcode != 0xb7) return -1;
  memcpy(at, "\x48\xc7\xc0", 3); /* mov rax, N; ret */
  memcpy(at + 3, &from->insns[0].immediate, 4);
  at[7] = 0xc3;
  offsets[slot][0] = 0;
  offsets[slot][1] = offsets[slot][2] = 7;
  memset(to, 0, sizeof(*to));
  RUBBISH(to);
  to->struct_size = sizeof(*to);
  to->program = program;
  to->function = index;
  to->size = 16;
  to->address = (uintptr_t)at;
  to->tail_call_entry = UINT32_MAX;
#ifndef HEADER_OLDER
  to->insn_offset_count = 3;
  to->insn_offsets = offsets[slot];
#endif
  return 0;
}

static void describe(struct plumb_image* out, uint32_t functions, uint32_t array_count) {
  uint32_t i;
  code.address = arena + PLUMB_STUB_SIZE;
  code.size = 4096;
  for (i = 0; i < 2; i++) {
    struct plumb_symbol* symbol = &symbols[i];
#ifdef FIRST
    struct plumb_symbol* const short_one =
        (void*)((char*)symbols + i * offsetof(struct plumb_symbol, size));
    struct plumb_symbol one = {.struct_size = offsetof(struct plumb_symbol, size)};
    symbol = &one;
#else
    memset(symbol, 0, sizeof(*symbol));
    RUBBISH(symbol);
    symbol->struct_size = sizeof(*symbol);
#endif
    symbol->kind = PLUMB_SYMBOL_THUNK;
    symbol->name = "thunk";
    symbol->address = code.address + 2048 + 64 * i;
#ifdef FIRST
    memcpy(short_one, symbol, offsetof(struct plumb_symbol, size));
#endif
    arrays[i].address = code.address + 8192 + 64 * i;
    arrays[i].size = 8;
    RUBBISH(&arrays[i]);
  }
  RUBBISH(&code);
  out->function_count = functions;
  out->functions = natives;
  out->code_range_count = 1;
  out->code_ranges = &code;
  out->array_count = array_count;
  out->array_objects = arrays;
  out->symbol_count = 2;
  out->symbols = symbols;
#if PLUMB_PLUGIN_ABI > 1
  out->function_stride = sizeof(natives[0]);
  out->code_range_stride = out->array_stride = sizeof(code);
  out->symbol_stride = sizeof(symbols[0]);
#endif
}

#if PLUMB_PLUGIN_ABI == 1 || defined(IGNORES_STRIDE)
#define AT(type, first, stride, i) (&(first)[i])
#else
#define AT(type, first, stride, i) PLUMB_AT(type, first, stride, i)
#endif

static int load(const struct plumb_load_request* request, struct plumb_image* image, char* error,
                size_t error_size) {
  struct plumb_image out;
  uint32_t count = 0, p, f;
  for (p = 0; p < request->program_count; p++) {
    const struct plumb_program* program =
        AT(struct plumb_program, request->programs, request->program_stride, p);
    for (f = 0; f < program->function_count; f++) {
      if (!compile(p, f, AT(struct plumb_function, program->functions, program->function_stride, f),
                   count++))
        continue;
      snprintf(error, error_size, "function %u of program %u has another form", f, p);
      return PLUMB_NOT_APPLICABLE;
    }
  }
  memset(&out, 0, sizeof(out));
  RUBBISH(&out);
  describe(&out, count, request->array_count);
#if PLUMB_PLUGIN_ABI == 1
  out.struct_size = image->struct_size;
  memcpy(image, &out, sizeof(out));
#elif defined(IGNORES_ROOM)
  out.struct_size = sizeof(out);
  memcpy(image, &out, sizeof(out));
#else
  out.struct_size = PLUMB_BEGIN(struct plumb_image, image);
  memcpy(image, &out, out.struct_size);
#endif
  return PLUMB_LOADED;
}

static void unload(struct plumb_image* image) { (void)image; }

static struct plumb_contract contract = {
    .struct_size = sizeof(struct plumb_contract),
#if PLUMB_PLUGIN_ABI == 1
    .bpf_register = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5},
    .frame_pointer = 5,
#else
    .frame_pointer = PLUMB_REGISTER(5),
#endif
    .call_alignment = 8,
    .result_bits = 64,
    .frame_rounding = 8,
};

static struct plumb_plugin_info info = {
    .struct_size = sizeof(info),
    .arch = PLUMB_ARCH_X86_64,
    .name = "versions-1-x86_64",
    .family = "versions",
    .version = "1",
    .origin = "a test",
    .capabilities = PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAIL_CALL,
    .arena_base = 0x30000000u,
    .arena_size = 1u << 20,
#if PLUMB_PLUGIN_ABI > 1 && !defined(HEADER_OLDER)
    .contract = &contract,
#endif
};

static struct plumb_plugin plugin = {
    .struct_size = sizeof(plugin),
    .abi = PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = open_arena,
    .load = load,
    .unload = unload,
};

#if PLUMB_PLUGIN_ABI == 1
const struct plumb_plugin* plumb_plugin_entry(void) {
#ifdef FIRST
  contract.struct_size = offsetof(struct plumb_contract, r10_bias) + 4;
  contract.landing_pad = 9; /* is not there */
  info.struct_size = offsetof(struct plumb_plugin_info, contract) + contract.struct_size;
#endif
  info.contract = contract;
  return &plugin;
}
#else
const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  (void)host_size;
  (void)contract; /* a header of then has no place for it */
  RUBBISH(&contract);
  RUBBISH(&info);
  RUBBISH(&plugin);
#ifndef RUDE
  if (host_abi < PLUMB_PLUGIN_ABI) return NULL;
#endif
  (void)host_abi;
  return &plugin;
}
#endif
