/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the verifier that JITs rely on without checking: they index tables by register
 * number, by jump target and by function number. Also what a kernel of this version would refuse,
 * because it does not know the instruction. Rules: RFC 9669, and check_alu_op(), check_ld_imm(),
 * check_subprogs() and resolve_pseudo_ldimm64() of kernel/bpf/verifier.c.
 */
#include "glue/kernel.h"

enum { kMaxSubprograms = 256, kMaxInsns = 1 << 20, kMaxArraySlots = 1 << 16 };

struct check {
  const struct plumb_load_request* request;
  const struct plumb_program* program;
  const struct plumb_function* function;
  u64 capabilities;
  struct plumb_message* message;
  u32 program_index, function_index, slot;
};

static int say_at(struct check* c, int status, const char* what) {
  plumb_say(c->message, "program %u, function %u, slot %u: %s", c->program_index, c->function_index,
            c->slot, what);
  return status;
}

static int malformed(struct check* c, const char* what) { return say_at(c, PLUMB_BROKEN, what); }
static int unsupported(struct check* c, const char* what) {
  return say_at(c, PLUMB_NOT_APPLICABLE, what);
}
static int need(struct check* c, u64 capability, const char* what) {
  return c->capabilities & capability ? PLUMB_LOADED : unsupported(c, what);
}

static bool as_it_stands(const struct check* c) {
  return c->function->flags & PLUMB_FUNCTION_AS_IT_STANDS;
}

static const struct bpf_insn* insns_of(const struct plumb_function* function) {
  return (const struct bpf_insn*)function->insns;
}

static int check_alu(struct check* c, const struct bpf_insn* insn) {
  const u8 op = BPF_OP(insn->code);
  const bool is64 = BPF_CLASS(insn->code) == BPF_ALU64;
  const bool by_register = BPF_SRC(insn->code) == BPF_X;
  const char* v4 = "this kernel does not know version 4 instructions";
  if (op > BPF_END) return unsupported(c, "unknown arithmetic operation");
  if (insn->dst_reg == BPF_REG_10) return malformed(c, "writes R10");
  if (op == BPF_END) {
    if (insn->off || insn->src_reg || (insn->imm != 16 && insn->imm != 32 && insn->imm != 64))
      return malformed(c, "bad byte swap");
    if (!is64) return PLUMB_LOADED;
    return by_register ? malformed(c, "bad byte swap") : need(c, PLUMB_CAN_V4, v4);
  }
  if (op == BPF_NEG)
    return insn->off || insn->src_reg || insn->imm || by_register ? malformed(c, "bad negation")
                                                                  : PLUMB_LOADED;
  /* Zero extensions, and what the converter of classic BPF leaves in unused fields. */
  if (as_it_stands(c) && insn_is_zext(insn)) return PLUMB_LOADED;
  if (!as_it_stands(c) && (by_register ? insn->imm != 0 : insn->src_reg != 0))
    return malformed(c, "reserved field is not zero");
  if (op == BPF_DIV || op == BPF_MOD) {
    if (!by_register && insn->imm == 0) return unsupported(c, "division by the constant zero");
    if (insn->off == 1) return need(c, PLUMB_CAN_V4, v4);
  } else if (op == BPF_MOV && by_register && insn->off) {
    if (insn->off != 8 && insn->off != 16 && !(is64 && insn->off == 32))
      return unsupported(c, "unknown move");
    return need(c, PLUMB_CAN_V4, v4);
  } else if ((op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH) && !by_register) {
    if (insn->imm < 0 || insn->imm >= (is64 ? 64 : 32))
      return unsupported(c, "shift by the width or more");
  }
  return insn->off ? malformed(c, "reserved field is not zero") : PLUMB_LOADED;
}

static bool is_exception_callback(const struct check* c, u32 function) {
  return plumb_function_at(c->program, function)->flags & PLUMB_FUNCTION_EXCEPTION_CALLBACK;
}

static int check_load_imm(struct check* c, const struct bpf_insn* insn) {
  const struct bpf_insn* next = insn + 1;
  if (insn->code != (BPF_LD | BPF_IMM | BPF_DW)) return unsupported(c, "legacy packet access");
  if (insn->dst_reg == BPF_REG_10) return malformed(c, "writes R10");
  if (insn->off) return malformed(c, "reserved field is not zero");
  if (c->slot + 1 >= c->function->insn_count) return malformed(c, "64-bit load is cut off");
  if (next->code || next->dst_reg || next->src_reg || next->off)
    return malformed(c, "second slot of a 64-bit load is not zero");
  switch (insn->src_reg) {
    case 0:
      return PLUMB_LOADED;
    case BPF_PSEUDO_MAP_FD:
      if (insn->imm < 0 || (u32)insn->imm >= c->request->array_count)
        return malformed(c, "no such prog array");
      return next->imm ? malformed(c, "second slot of a 64-bit load is not zero") : PLUMB_LOADED;
    case BPF_PSEUDO_MAP_VALUE:
      if (insn->imm < 0 || (u32)insn->imm >= c->request->region_count)
        return malformed(c, "no such region");
      return PLUMB_LOADED;
    case BPF_PSEUDO_FUNC:
      if (insn->imm < 1 || (u32)insn->imm >= c->program->function_count)
        return malformed(c, "no such function");
      if (is_exception_callback(c, (u32)insn->imm))
        return malformed(c, "takes the address of the exception callback");
      return need(c, PLUMB_CAN_CALL_BACK, "callbacks are not supported");
    default:
      return unsupported(c, "unknown 64-bit load");
  }
}

static int check_atomic(struct check* c, const struct bpf_insn* insn) {
  if (BPF_SIZE(insn->code) != BPF_W && BPF_SIZE(insn->code) != BPF_DW)
    return unsupported(c, "atomic operation of that size");
  switch (insn->imm) {
    case BPF_ADD:
      return PLUMB_LOADED;
    case BPF_AND:
    case BPF_OR:
    case BPF_XOR:
    case BPF_ADD | BPF_FETCH:
    case BPF_AND | BPF_FETCH:
    case BPF_OR | BPF_FETCH:
    case BPF_XOR | BPF_FETCH:
    case BPF_XCHG:
      if (insn->src_reg == BPF_REG_10 && (insn->imm & BPF_FETCH)) return malformed(c, "writes R10");
      return need(c, PLUMB_CAN_ATOMICS, "atomics are not supported");
    case BPF_CMPXCHG:
      return need(c, PLUMB_CAN_ATOMICS, "atomics are not supported");
    default:
      return unsupported(c, "unknown atomic operation");
  }
}

static int check_memory(struct check* c, const struct bpf_insn* insn) {
  const u8 mode = BPF_MODE(insn->code), class = BPF_CLASS(insn->code);
  if (class == BPF_STX && mode == BPF_ATOMIC) return check_atomic(c, insn);
  if (class == BPF_LDX && insn->dst_reg == BPF_REG_10) return malformed(c, "writes R10");
  if (class == BPF_ST ? insn->src_reg != 0 : insn->imm != 0)
    return malformed(c, "reserved field is not zero");
  if (class == BPF_LDX && mode == 0x80 /* BPF_MEMSX, which 6.1 does not define */)
    return BPF_SIZE(insn->code) == BPF_DW
               ? unsupported(c, "sign-extending load of 64 bits")
               : need(c, PLUMB_CAN_V4, "this kernel does not know version 4 instructions");
  return mode == BPF_MEM ? PLUMB_LOADED : unsupported(c, "unknown memory access");
}

static int check_target(struct check* c, s64 distance) {
  const struct bpf_insn* insns = insns_of(c->function);
  const s64 target = (s64)c->slot + 1 + distance;
  if (target < 0 || target >= (s64)c->function->insn_count)
    return malformed(c, "jump out of the function");
  /* Whatever follows the first slot of a 64-bit load is its second slot. */
  if (target > 0 && insns[target].code == 0 &&
      insns[target - 1].code == (BPF_LD | BPF_IMM | BPF_DW))
    return malformed(c, "jump into a 64-bit load");
  return PLUMB_LOADED;
}

static int check_call(struct check* c, const struct bpf_insn* insn) {
  if (insn->dst_reg || insn->off) return malformed(c, "reserved field is not zero");
  if (insn->src_reg == BPF_PSEUDO_CALL) {
    if (insn->imm < 1 || (u32)insn->imm >= c->program->function_count)
      return malformed(c, "no such function");
    return is_exception_callback(c, (u32)insn->imm) ? malformed(c, "calls the exception callback")
                                                    : PLUMB_LOADED;
  }
  if (plumb_is_throw(insn)) {
    if (insn->imm) return unsupported(c, "calls of kernel functions other than bpf_throw");
    if (!plumb_exception_callback(c->program))
      return malformed(c, "a throw in a program without exception callback");
    return need(c, PLUMB_CAN_THROW, "exceptions are not supported");
  }
  if (insn->src_reg != 0) return unsupported(c, "calls of kernel functions");
  if (insn->imm < 1 || insn->imm >= PLUMB_STUB_COUNT) return malformed(c, "no such helper");
  if (insn->imm != BPF_FUNC_tail_call) return PLUMB_LOADED;
  return c->program->function_count > 1
             ? need(c, PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM,
                    "tail calls in programs with subprograms are not supported")
             : need(c, PLUMB_CAN_TAIL_CALL, "tail calls are not supported");
}

static int check_jump(struct check* c, const struct bpf_insn* insn) {
  const u8 op = BPF_OP(insn->code);
  const bool is32 = BPF_CLASS(insn->code) == BPF_JMP32;
  const bool by_register = BPF_SRC(insn->code) == BPF_X;
  if (op > BPF_JSLE) return unsupported(c, "unknown jump");
  if (op == BPF_CALL)
    return is32 || by_register ? unsupported(c, "unknown call") : check_call(c, insn);
  if (op == BPF_EXIT)
    return is32 || by_register || insn->imm || insn->dst_reg || insn->src_reg || insn->off
               ? malformed(c, "bad exit")
               : PLUMB_LOADED;
  if (op == BPF_JA) {
    if (by_register || insn->dst_reg || insn->src_reg || (is32 ? insn->off : insn->imm))
      return malformed(c, "bad jump");
    if (is32 && !(c->capabilities & PLUMB_CAN_V4))
      return unsupported(c, "this kernel does not know version 4 instructions");
    return check_target(c, is32 ? insn->imm : insn->off);
  }
  if (by_register ? insn->imm != 0 : insn->src_reg != 0)
    return malformed(c, "reserved field is not zero");
  return check_target(c, insn->off);
}

static int check_function(struct check* c) {
  const struct plumb_function* f = c->function;
  u8 last;
  c->slot = 0;
  if (f->insn_count == 0 || f->insn_count > kMaxInsns || !f->insns)
    return malformed(c, "no instructions, or too many");
  if (f->stack_depth > MAX_BPF_STACK) return malformed(c, "stack is deeper than 512 bytes");
  if (f->flags & PLUMB_FUNCTION_EXCEPTION_CALLBACK) {
    if (!(c->capabilities & PLUMB_CAN_THROW)) return unsupported(c, "exceptions are not supported");
    if (c->function_index == 0) return malformed(c, "the main function as exception callback");
    if (plumb_exception_callback(c->program) != c->function_index)
      return malformed(c, "a second exception callback");
  }
  for (; c->slot < f->insn_count; c->slot++) {
    const struct bpf_insn* insn = insns_of(f) + c->slot;
    int status;
    if (insn->dst_reg > BPF_REG_10 || insn->src_reg > BPF_REG_10)
      return malformed(c, "no such register");
    switch (BPF_CLASS(insn->code)) {
      case BPF_ALU:
      case BPF_ALU64:
        status = check_alu(c, insn);
        break;
      case BPF_LD:
        status = check_load_imm(c, insn);
        break;
      case BPF_JMP:
      case BPF_JMP32:
        status = check_jump(c, insn);
        break;
      default:
        status = check_memory(c, insn);
        break;
    }
    if (status != PLUMB_LOADED) return status;
    if (BPF_CLASS(insn->code) == BPF_LD) c->slot++;
  }
  if (as_it_stands(c)) return PLUMB_LOADED;
  c->slot = f->insn_count - 1;
  last = insns_of(f)[c->slot].code;
  /* What stands behind a throw is dead code, which the verifier takes away. */
  if (plumb_is_throw(insns_of(f) + c->slot)) return PLUMB_LOADED;
  if (last != (BPF_JMP | BPF_EXIT) && last != (BPF_JMP | BPF_JA) && last != (BPF_JMP32 | BPF_JA))
    return malformed(c, "the last instruction is not an exit, a jump or a throw");
  return PLUMB_LOADED;
}

static int check_arrays(const struct plumb_load_request* request, struct plumb_message* message) {
  for (u32 a = 0; a < request->array_count; a++) {
    const struct plumb_prog_array* array = plumb_array_at(request, a);
    if (array->slot_count == 0 || array->slot_count > kMaxArraySlots) {
      plumb_say(message, "prog array %u: has no slots, or too many", a);
      return PLUMB_BROKEN;
    }
    for (u32 s = 0; s < array->slot_count; s++) {
      if (array->slots[s] < -1 || array->slots[s] >= (s64)request->program_count) {
        plumb_say(message, "prog array %u, slot %u: no such program", a, s);
        return PLUMB_BROKEN;
      }
    }
  }
  return PLUMB_LOADED;
}

int plumb_check_request(const struct plumb_load_request* request, u64 capabilities,
                        struct plumb_message* message) {
  struct check c = {.request = request, .capabilities = capabilities, .message = message};
  int status = check_arrays(request, message);
  if (status != PLUMB_LOADED) return status;
  if (request->program_count == 0) {
    plumb_say(message, "no programs");
    return PLUMB_BROKEN;
  }
  for (u32 p = 0; p < request->program_count; p++) {
    c.program = plumb_program_at(request, p);
    c.program_index = p;
    if (c.program->function_count == 0 || c.program->function_count > kMaxSubprograms) {
      plumb_say(message, "program %u: no functions, or more than 256", p);
      return PLUMB_BROKEN;
    }
    for (u32 f = 0; f < c.program->function_count; f++) {
      c.function = plumb_function_at(c.program, f);
      c.function_index = f;
      status = check_function(&c);
      if (status != PLUMB_LOADED) return status;
    }
  }
  return PLUMB_LOADED;
}
