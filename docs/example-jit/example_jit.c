/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole plugin: a template JIT for x86-64 that takes programs of one function with moves, simple
 * arithmetic, loads, stores, jumps and helper calls, and says NOT_APPLICABLE to all else. Build it
 * with the Makefile beside it; docs/adding-a-jit.md goes through it.
 *
 *   high  | return address         |
 *         | caller's rbp           | <- rbp, which is R10
 *         | BPF stack, % 16 bytes  |
 *   low   | rbx r13 r14 r15        | <- rsp, a multiple of 16 at every call
 */
#include <stdio.h>
#include <string.h>

#include "plugin.h"

enum { kPrograms = 32, kSlots = 4096, kRows = 4096 };
enum { kRax = 0, kRsp = 4, kRbp = 5 };

/* R0 ... R10. R1 ... R5 are the argument registers of the C ABI, so helpers are simply called. */
static const uint8_t kNative[11] = {kRax, 7, 6, 2, 1, 8, 3, 13, 14, 15, kRbp};

static struct plumb_native_function natives[kPrograms];
static uint32_t offsets[kPrograms][kSlots + 1];
static struct plumb_range code;
static uint64_t arena, arena_end;
static struct plumb_unwind_row rows[kRows];
static uint32_t row_count;

struct emitter {
  uint8_t *begin, *at, *end;
};

static void put(struct emitter* to, const void* bytes, size_t size) {
  if ((size_t)(to->end - to->at) >= size) memcpy(to->at, bytes, size);
  to->at += (size_t)(to->end - to->at) >= size ? size : 0; /* full: seen by load() */
}
static void put1(struct emitter* to, unsigned byte) {
  const uint8_t one = (uint8_t)byte;
  put(to, &one, 1);
}
static void put4(struct emitter* to, int64_t value) {
  const int32_t word = (int32_t)value;
  put(to, &word, 4);
}
#define PUT(to, ...) put(to, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* REX, opcode and ModRM of reg and rm: two registers (mode 3), or memory at [rm + disp32] (mode 2).
 */
static void put_op(struct emitter* to, int wide, unsigned opcode, unsigned mode, unsigned reg,
                   unsigned rm) {
  put1(to, 0x40u | (wide ? 8u : 0u) | (reg >> 3) << 2 | rm >> 3);
  if (opcode > 0xff) put1(to, opcode >> 8);
  put1(to, opcode & 0xff);
  put1(to, mode << 6 | (reg & 7) << 3 | (rm & 7));
}

/* For unwinders: from here on the caller's stack pointer is that register + offset. */
static void note(const struct emitter* to, uint8_t cfa_register, int32_t offset) {
  const uint64_t at = (uintptr_t)to->at;
  if (row_count && rows[row_count - 1].address == at) row_count--; /* behind another one's ret */
  if (row_count == kRows) return;                                  /* seen by claims() */
  rows[row_count++] = (struct plumb_unwind_row){
      .struct_size = sizeof(rows[0]),
      .cfa_offset = offset,
      .address = at,
      .cfa_register = cfa_register,
      .fp_rule = cfa_register == PLUMB_REGISTER(kRbp) ? PLUMB_SAVED_AT_OFFSET : PLUMB_SAVED_SAME,
      .ra_rule = PLUMB_SAVED_AT_OFFSET,
      .fp_offset = -16,
      .ra_offset = -8,
  };
}

static void put_prologue(struct emitter* to, uint32_t stack) {
  note(to, PLUMB_REGISTER(kRsp), 8);
  put1(to, 0x55); /* push rbp */
  note(to, PLUMB_REGISTER(kRsp), 16);
  PUT(to, 0x48, 0x89, 0xe5); /* mov rbp, rsp */
  note(to, PLUMB_REGISTER(kRbp), 16);
  PUT(to, 0x48, 0x81, 0xec); /* sub rsp, stack */
  put4(to, stack);
  PUT(to, 0x53, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57);
}
static void put_epilogue(struct emitter* to) {
  PUT(to, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x5b, 0xc9); /* pops; leave */
  note(to, PLUMB_REGISTER(kRsp), 8);
  put1(to, 0xc3); /* ret */
  note(to, PLUMB_REGISTER(kRbp), 16);
}

/* By BPF's operation, opcode >> 4: x86's for `op rm, reg`, and the /digit of 0x81 (or others). 0:
 * not here. */
static const uint8_t kAluRegister[16] = {
    [0] = 0x01, [1] = 0x29, [4] = 0x09, [5] = 0x21, [10] = 0x31, [11] = 0x89};
static const uint8_t kAluDigit[16] = {[0] = 0, [1] = 5, [4] = 1, [5] = 4, [10] = 6};
static const uint8_t kShiftDigit[16] = {[6] = 4, [7] = 5, [12] = 7};
static const uint8_t kCondition[16] = {
    [1] = 0x84, [2] = 0x87,  [3] = 0x83,  [4] = 0x85,  [5] = 0x85, [6] = 0x8f,
    [7] = 0x8d, [10] = 0x82, [11] = 0x86, [12] = 0x8c, [13] = 0x8e};

static int put_alu(struct emitter* to, const struct plumb_insn* insn, unsigned dst, unsigned src) {
  const unsigned op = insn->opcode >> 4, by_register = insn->opcode & 8;
  const int wide = (insn->opcode & 7) == 7;
  if (insn->offset != 0) return -1; /* version 4 */
  if (op == 8 && !by_register) {
    put_op(to, wide, 0xf7, 3, 3, dst); /* neg */
  } else if (kAluRegister[op] && by_register) {
    put_op(to, wide, kAluRegister[op], 3, src, dst);
  } else if (kAluRegister[op]) {
    put_op(to, wide, op == 11 ? 0xc7 : 0x81, 3, op == 11 ? 0 : kAluDigit[op], dst);
    put4(to, insn->immediate);
  } else if (kShiftDigit[op] && !by_register && insn->immediate < (wide ? 64 : 32)) {
    put_op(to, wide, 0xc1, 3, kShiftDigit[op], dst);
    put1(to, (unsigned)insn->immediate);
  } else {
    return -1; /* multiplication, division, byte swaps, shifts by a register */
  }
  return 0;
}

/* Sizes by opcode >> 3 & 3: 4, 2, 1, 8 bytes. */
static int put_memory(struct emitter* to, const struct plumb_insn* insn, unsigned dst,
                      unsigned src) {
  static const uint16_t kLoad[4] = {0x8b, 0x0fb7, 0x0fb6, 0x8b};
  const unsigned size = insn->opcode >> 3 & 3, class = insn->opcode & 7;
  if (insn->opcode >> 5 != 3) return -1; /* atomics, sign-extending loads */
  if (class != 1 && size == 1) put1(to, 0x66);
  if (class == 1) put_op(to, size == 3, kLoad[size], 2, dst, src);
  if (class == 2) put_op(to, size == 3, size == 2 ? 0xc6 : 0xc7, 2, 0, dst);
  if (class == 3) put_op(to, size == 3, size == 2 ? 0x88 : 0x89, 2, src, dst);
  put4(to, insn->offset);
  if (class == 2) put(to, &insn->immediate, size == 2 ? 1 : size == 1 ? 2 : 4);
  return 0;
}

/* offset: where the code of each slot begins, as the pass before this one found out. */
static int put_jump(struct emitter* to, const struct plumb_insn* insn, const uint32_t* offset,
                    unsigned dst, unsigned src) {
  const unsigned op = insn->opcode >> 4;
  const int wide = (insn->opcode & 7) == 5, by_register = insn->opcode & 8;
  if (insn->opcode == 0x85) { /* call: a helper, but for bpf_tail_call */
    if (insn->registers != 0 || insn->immediate == 12) return -1;
    put1(to, 0xe8);
    put4(to, (int64_t)(arena + (uint64_t)insn->immediate * PLUMB_STUB_STRIDE) -
                 (int64_t)((uintptr_t)to->at + 4));
    return 0;
  }
  if (insn->opcode == 0x95) return put_epilogue(to), 0; /* exit */
  if (insn->opcode == 0x05) {
    put1(to, 0xe9);
  } else {
    if (!kCondition[op]) return -1;
    if (by_register) put_op(to, wide, op == 4 ? 0x85 : 0x39, 3, src, dst); /* test or cmp */
    if (!by_register) put_op(to, wide, op == 4 ? 0xf7 : 0x81, 3, op == 4 ? 0 : 7, dst);
    if (!by_register) put4(to, insn->immediate);
    PUT(to, 0x0f, kCondition[op]);
  }
  put4(to, (int64_t)offset[1 + insn->offset] - (to->at + 4 - to->begin));
  return 0;
}

static int put_load_imm(struct emitter* to, const struct plumb_load_request* request,
                        const struct plumb_insn* insn, unsigned dst) {
  uint64_t value = (uint32_t)insn[0].immediate | (uint64_t)(uint32_t)insn[1].immediate << 32;
  const unsigned kind = insn->registers >> 4;
  if (insn->opcode != 0x18 || (kind != 0 && kind != 2)) return -1;
  if (kind == 2) /* an address in a region */
    value = request->region_addresses[insn[0].immediate] + (uint32_t)insn[1].immediate;
  put1(to, 0x48u | dst >> 3);
  put1(to, 0xb8u | (dst & 7));
  put(to, &value, 8);
  return 0;
}

static int put_function(struct emitter* to, const struct plumb_load_request* request,
                        const struct plumb_function* function, uint32_t* offset) {
  put_prologue(to, (function->stack_depth + 15) & ~15u);
  for (uint32_t i = 0; i < function->insn_count; i++) {
    const struct plumb_insn* insn = &function->insns[i];
    const unsigned class = insn->opcode & 7;
    const unsigned dst = kNative[insn->registers & 15], src = kNative[insn->registers >> 4 & 15];
    int failed;
    offset[i] = (uint32_t)(to->at - to->begin);
    if (class == 4 || class == 7)
      failed = put_alu(to, insn, dst, src);
    else if (class == 5 || class == 6)
      failed = put_jump(to, insn, offset + i, dst, src);
    else if (class == 0)
      failed = put_load_imm(to, request, insn, dst);
    else
      failed = put_memory(to, insn, dst, src);
    if (failed) return -1;
    if (class == 0) { /* the second slot of lddw: where the next instruction begins */
      i++;
      offset[i] = (uint32_t)(to->at - to->begin);
    }
  }
  offset[function->insn_count] = (uint32_t)(to->at - to->begin);
  return 0;
}

static int open_arena(uint64_t base, uint64_t size, char* error, size_t error_size) {
  (void)error, (void)error_size;
  arena = base;
  arena_end = base + size;
  return 0;
}

static int load(const struct plumb_load_request* request, struct plumb_image* image, char* error,
                size_t error_size) {
  struct plumb_image out = {.struct_size = PLUMB_BEGIN(struct plumb_image, image)};
  uint8_t *const begin = (uint8_t*)(uintptr_t)(arena + PLUMB_STUB_SIZE), *next = begin;
  row_count = 0;
  for (uint32_t p = 0; p < request->program_count; p++) {
    const struct plumb_program* program =
        PLUMB_AT(struct plumb_program, request->programs, request->program_stride, p);
    const struct plumb_function* function =
        program->functions; /* the first one: no stride needed */
    if (p == kPrograms || program->function_count != 1 || function->insn_count > kSlots) {
      snprintf(error, error_size, "more programs, functions or instructions than it takes");
      return PLUMB_NOT_APPLICABLE;
    }
    struct emitter to;
    const uint32_t first_row = row_count;
    /* Twice: the first pass finds out where the targets of jumps lie. */
    memset(offsets[p], 0, sizeof(offsets[p]));
    for (int pass = 0; pass < 2; pass++) {
      to = (struct emitter){next, next, (uint8_t*)(uintptr_t)arena_end};
      row_count = first_row;
      if (put_function(&to, request, function, offsets[p])) {
        snprintf(error, error_size, "program %u has an instruction that it does not take", p);
        return PLUMB_NOT_APPLICABLE;
      }
    }
    if (to.end - to.at < 16) {
      snprintf(error, error_size, "the arena is full");
      return PLUMB_BROKEN;
    }
    natives[p] = (struct plumb_native_function){
        .struct_size = sizeof(natives[p]),
        .program = p,
        .size = (uint32_t)(to.at - to.begin),
        .address = (uintptr_t)to.begin,
        .tail_call_entry = PLUMB_OFFSET_NEVER,
        .stack_size = (function->stack_depth + 15) & ~15u,
        .insn_offset_count = function->insn_count + 1,
        .insn_offsets = offsets[p],
    };
    next = to.at;
    note(&to, PLUMB_NO_REGISTER, 0); /* here ends what the last row is about */
  }
  code = (struct plumb_range){(uintptr_t)begin, (uint64_t)(next - begin)};
  out.function_count = request->program_count;
  out.function_stride = sizeof(natives[0]);
  out.functions = natives;
  out.code_range_count = 1;
  out.code_range_stride = sizeof(code);
  out.code_ranges = &code;
  memcpy(image, &out, out.struct_size);
  return PLUMB_LOADED;
}

static int claims(struct plumb_image* image, struct plumb_claims* claims, char* error,
                  size_t error_size) {
  struct plumb_claims out = {.struct_size = PLUMB_BEGIN(struct plumb_claims, claims)};
  (void)image, (void)error, (void)error_size;
  out.row_count = row_count == kRows ? 0 : row_count; /* full: it says nothing */
  out.row_stride = sizeof(rows[0]);
  out.rows = rows;
  memcpy(claims, &out, out.struct_size);
  return 0;
}

static void unload(struct plumb_image* image) { (void)image; }

static const struct plumb_contract contract = {
    .struct_size = sizeof(contract),
    .bpf_register = {PLUMB_REGISTER(kRax), PLUMB_REGISTER(7), PLUMB_REGISTER(6), PLUMB_REGISTER(2),
                     PLUMB_REGISTER(1), PLUMB_REGISTER(8), PLUMB_REGISTER(3), PLUMB_REGISTER(13),
                     PLUMB_REGISTER(14), PLUMB_REGISTER(15), PLUMB_REGISTER(kRbp)},
    .frame_pointer = PLUMB_REGISTER(kRbp),
    .r10_bias = 0,
    .r10_bias_known = PLUMB_YES,
    .r10_moved_by = PLUMB_CALLEE,
    .r10_only_where_used = PLUMB_NO,
    .r6_r9_saved_by = PLUMB_CALLEE,
    .call_alignment = 16,
    .sp_at_calls = PLUMB_SP_CONSTANT,
    .result_bits = 64,
    .bpf_stack = PLUMB_STACK_IN_FRAME,
    .frame_rounding = 16,
    .landing_pad = PLUMB_LANDING_PAD_NONE,
};

static const struct plumb_plugin_info info = {
    .struct_size = sizeof(info),
    .arch = PLUMB_ARCH_X86_64,
    .name = "example",
    .family = "example",
    .version = "1",
    .origin = "Plumbline's example of a plugin",
    .capabilities = PLUMB_CAN_JUMP_BACK | PLUMB_CAN_JUMP32 | PLUMB_GIVES_UNWIND_ROWS,
    .arena_base = 0x60000000u,
    .arena_size = 1u << 24,
    .contract = &contract,
};

static const struct plumb_plugin plugin = {
    .struct_size = sizeof(plugin),
    .abi = PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = open_arena,
    .load = load,
    .unload = unload,
    .claims = claims,
};

const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size) {
  (void)host_size; /* a longer table than the host's is fine */
  return host_abi >= PLUMB_PLUGIN_ABI ? &plugin : NULL;
}
